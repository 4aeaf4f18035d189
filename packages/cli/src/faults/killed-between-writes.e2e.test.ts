/** A worker that dies between any two of its writes leaves nothing half done, and nothing undone. */
import { eventsQueue } from "@sluice/queue/queues";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";

import { ACCEPTED, expectWrittenOnce, WAIT } from "./expectations.ts";
import {
  createInstallation,
  listQueueChoices,
  startFaultServers,
  type FaultServers,
  type Installation,
} from "./installation.ts";
import { pushTo, sendWebhook, type PushDelivery } from "./push-delivery.ts";
import type { ServiceProcess } from "./service-process.ts";
import { pauseWrites, type PausePoint } from "./write-pause.ts";
import { countOpenJobs, NO_OPEN_JOBS } from "./written-rows.ts";

/** In the order in which a worker gets there. */
const points: readonly PausePoint[] = [
  { after: "insert", table: "deliveries" },
  { after: "insert", table: "delivery_bodies" },
  { after: "insert", table: "repositories" },
  { after: "insert", table: "branches" },
  { after: "insert", table: "events" },
  { after: "commit", table: "events" },
  { after: "insert", table: "triggers" },
  { after: "insert", table: "trigger_history" },
  { after: "insert", table: "decisions" },
  { after: "commit", table: "decisions" },
];

const choices = await listQueueChoices(inject("redisUrl"));

describe.each(choices)("a worker, with the queue on $queue", { timeout: 90_000 }, (choice) => {
  describe.skipIf(choice.isSkipped)("killed", () => {
    let servers: FaultServers;
    let installation: Installation;
    let ingress: ServiceProcess;
    const sent: PushDelivery[] = [];

    beforeAll(async () => {
      servers = await startFaultServers(choice);
      installation = await createInstallation(servers);
      ingress = await installation.start("ingress");
    });

    afterAll(async () => {
      await installation.dispose();
      await servers.dispose();
    });

    async function sendAccepted(delivery: PushDelivery): Promise<void> {
      expect(await sendWebhook(installation.endpoint(ingress), delivery)).toEqual(ACCEPTED);
      sent.push(delivery);
    }

    /** A repository with one stack, which is named like it. */
    async function aRepository(slug: string, projectRoot?: string) {
      await installation.addStack(`acme/${slug}`, `acme/${slug}`, projectRoot);
      return installation.bitbucket.createRepository({ workspace: "acme", slug });
    }

    test.each(points)("after the $after of $table", async (point) => {
      const repository = await aRepository(`${point.table}-${point.after.replaceAll(" ", "-")}`);
      const pause = await pauseWrites(installation.databaseUrl, point);
      const worker = installation.launch("worker");
      await sendAccepted(pushTo(repository, "main", "feature"));
      await expect.poll(() => pause.isReached(), WAIT).toBe(true);
      await worker.kill();
      await pause.end();
    });

    test("while it waits for Bitbucket", async () => {
      const repository = await aRepository("slow", "app");
      pushTo(repository, "main");
      const mend = installation.bitbucketServer.injectFault("GET *diffstat*", {
        kind: "slow",
        delayMs: 60_000,
      });
      const worker = installation.launch("worker");
      await sendAccepted(pushTo(repository, "main"));
      const { queue, close } = await installation.queues.openQueue(eventsQueue.name);
      await expect.poll(() => queue.getActiveCount(), WAIT).toBe(1);
      await close();
      await worker.kill();
      mend();
    });

    test("at all of these places, and replaced: every delivery is recorded once and every event decided once", async () => {
      const worker = await installation.start("worker");
      await expectWrittenOnce(installation, sent, (repository) => [repository]);
      expect(worker.hasEnded).toBe(false);
    });

    test("and its queue lost with it: what was recorded and not decided gets a new job from Postgres", async () => {
      const repository = await aRepository("lost", "app");
      pushTo(repository, "main");
      const mend = installation.bitbucketServer.injectFault("GET *diffstat*", {
        kind: "status",
        status: 503,
      });
      await sendAccepted(pushTo(repository, "main"));
      await expect
        .poll(() => countOpenJobs(installation.queues), WAIT)
        .toEqual({ ...NO_OPEN_JOBS, delayed: 1 });
      await installation.killAll("worker");
      const { queue, close } = await installation.queues.openQueue(eventsQueue.name);
      await queue.obliterate({ force: true });
      await close();
      mend();
      // The repair passes over younger ones, which should have a job on its way, and looks when a worker starts.
      await installation.store.sql`
        UPDATE sluice.events SET recorded_at = now() - interval '1 hour' WHERE decided_at IS NULL`;
      await installation.start("worker");
      await expectWrittenOnce(installation, sent, (name) => [name]);
    });
  });
});
