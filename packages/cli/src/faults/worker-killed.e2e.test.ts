/** Workers that die again and again while a burst of overlapping pushes flows through them. */
import { setTimeout as sleep } from "node:timers/promises";

import { deliveriesQueue } from "@sluice/queue/queues";
import type { Repository } from "@sluice/simulator/repository";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";

import { ACCEPTED, WAIT } from "./expectations.ts";
import {
  createInstallation,
  listQueueChoices,
  startFaultServers,
  type FaultServers,
  type Installation,
} from "./installation.ts";
import { pushTo, sendWebhook, type PushDelivery } from "./push-delivery.ts";
import type { ServiceProcess } from "./service-process.ts";
import { slowWrites } from "./write-pause.ts";
import {
  allWritten,
  countOpenJobs,
  countWritten,
  deliveriesOf,
  NO_OPEN_JOBS,
  readDecisions,
  readDeliveries,
} from "./written-rows.ts";

const KILLS = 10;
const DELIVERIES_PER_KILL = 30;
/** Within which a kill comes after the deliveries: the time that they take with slow writes. */
const MAX_KILL_DELAY_MS = 500;
const BRANCHES = ["main", "one", "two", "three", "four", "five"];

const choices = await listQueueChoices(inject("redisUrl"));

describe.each(choices)("two workers, with the queue on $queue", { timeout: 120_000 }, (choice) => {
  describe.skipIf(choice.isSkipped)("killed again and again", () => {
    let servers: FaultServers;
    let undisturbed: Installation;
    let disturbed: Installation;
    let ingress: ServiceProcess;
    let pushes: readonly PushDelivery[];

    beforeAll(async () => {
      servers = await startFaultServers(choice);
      undisturbed = await createInstallation(servers);
      disturbed = await createInstallation(servers, undisturbed);
      for (const installation of [undisturbed, disturbed]) {
        await installation.addStack("acme/infra", "everything");
        await installation.addStack("acme/apps", "app", "app");
        await installation.addStack("acme/apps", "docs", "docs");
      }
      pushes = makePushes();
    });

    afterAll(async () => {
      await disturbed.dispose();
      await undisturbed.dispose();
      await servers.dispose();
    });

    /** Of four pushes one needs Bitbucket; of five, one moves two branches. */
    function makePushes(): readonly PushDelivery[] {
      const [infra, apps] = ["infra", "apps"].map((slug) =>
        undisturbed.bitbucket.createRepository({ workspace: "acme", slug }),
      ) as [Repository, Repository];
      pushTo(infra, ...BRANCHES);
      pushTo(apps, ...BRANCHES);
      return Array.from({ length: KILLS * DELIVERIES_PER_KILL }, (_, index) => {
        const branches = [0, 1].map((offset) => BRANCHES[(index * 7 + offset) % BRANCHES.length]!);
        return pushTo(index % 4 === 0 ? apps : infra, ...branches.slice(0, index % 5 === 0 ? 2 : 1));
      });
    }

    async function sendAccepted(
      installation: Installation,
      by: ServiceProcess,
      deliveries: readonly PushDelivery[],
    ): Promise<void> {
      const endpoint = installation.endpoint(by);
      const answers = await Promise.all(deliveries.map((delivery) => sendWebhook(endpoint, delivery)));
      expect(answers).toEqual(deliveries.map(() => ACCEPTED));
    }

    async function expectAllWritten({ store, queues }: Installation): Promise<void> {
      await expect.poll(() => countWritten(store), WAIT).toEqual(allWritten(pushes));
      await expect.poll(() => countOpenJobs(queues), WAIT).toEqual(NO_OPEN_JOBS);
    }

    const shareOf = (kill: number) =>
      pushes.slice(kill * DELIVERIES_PER_KILL, (kill + 1) * DELIVERIES_PER_KILL);

    async function runUndisturbed(): Promise<void> {
      const [first] = await Promise.all([undisturbed.start("ingress"), undisturbed.start("worker")]);
      for (let kill = 0; kill < KILLS; kill += 1) await sendAccepted(undisturbed, first, shareOf(kill));
      await expectAllWritten(undisturbed);
      await Promise.all([undisturbed.killAll("ingress"), undisturbed.killAll("worker")]);
    }

    async function runDisturbed(): Promise<void> {
      await slowWrites(disturbed.databaseUrl);
      ingress = await disturbed.start("ingress");
      const workers = [disturbed.launch("worker"), disturbed.launch("worker")];
      for (let kill = 0; kill < KILLS; kill += 1) {
        const victim = kill % workers.length;
        await workers[victim]!.started;
        await sendAccepted(disturbed, ingress, shareOf(kill));
        await sleep(Math.random() * MAX_KILL_DELAY_MS);
        await workers[victim]!.kill();
        workers[victim] = disturbed.launch("worker");
      }
      await expectAllWritten(disturbed);
    }

    /** Runs that a worker began and, because it died, did not end. */
    async function countBrokenOff(): Promise<number> {
      const { queue, close } = await disturbed.queues.openQueue(deliveriesQueue.name);
      const jobs = await queue.getCompleted(0, -1);
      await close();
      return jobs.reduce((sum, job) => sum + job.stalledCounter, 0);
    }

    test("every delivery is recorded once, byte for byte; decisions and triggers are those of an undisturbed run (rule 9)", async () => {
      await runUndisturbed();
      await runDisturbed();
      expect(await countBrokenOff()).toBeGreaterThan(0);
      expect(await readDeliveries(disturbed.store)).toEqual(deliveriesOf(pushes));
      const decisions = await readDecisions(undisturbed.store);
      expect(await readDecisions(disturbed.store)).toEqual(decisions);
      expect(decisions.filter((line) => line.includes("triggered tracked")).length).toBeGreaterThan(0);
      expect(decisions.filter((line) => line.includes("outside_project_root")).length).toBeGreaterThan(0);
    });

    async function claimOrder(target: string): Promise<readonly string[]> {
      const rows = await disturbed.store.sql<{ commitSha: string }[]>`
        SELECT commit_sha FROM sluice.triggers JOIN sluice.targets ON targets.id = target_id
        WHERE run_type = 'tracked' AND targets.name = ${target} ORDER BY position, triggers.id`;
      return rows.map(({ commitSha }) => commitSha);
    }

    const mainOf = (deliveries: readonly PushDelivery[]) =>
      deliveries.flatMap(({ changes }) =>
        changes.filter(({ branch }) => branch === "main").map(({ sha }) => sha),
      );

    test("tracked triggers are claimed in the order of the pushes, whoever died in between (rules 14, 29)", async () => {
      const pushed = mainOf(pushes.filter(({ repository }) => repository === "acme/infra"));
      expect(await claimOrder("everything")).toEqual(pushed);
    });

    test("three pushes that arrive as third, first, second are claimed in their order (rules 14, 29)", async () => {
      await disturbed.addStack("acme/ordered", "ordered");
      const repository = disturbed.bitbucket.createRepository({ workspace: "acme", slug: "ordered" });
      pushTo(repository, "main");
      const ordered = [pushTo(repository, "main"), pushTo(repository, "main"), pushTo(repository, "main")];
      for (const [place, index] of [2, 0, 1].entries()) {
        await sendAccepted(disturbed, ingress, [ordered[index]!]);
        const written = async () => (await claimOrder("ordered")).length;
        await expect.poll(written, WAIT).toBe(place + 1);
      }
      expect(await claimOrder("ordered")).toEqual(mainOf(ordered));
    });
  });
});
