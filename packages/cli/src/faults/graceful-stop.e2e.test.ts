/** SIGTERM: what is in hand is finished or given back, within the time to drain. */
import { request } from "node:http";

import { signBody } from "@sluice/bitbucket/signature";
import { deliveriesQueue, eventsQueue } from "@sluice/queue/queues";
import type { Repository } from "@sluice/simulator/repository";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";

import { ACCEPTED, expectWrittenOnce, WAIT } from "./expectations.ts";
import {
  createInstallation,
  listQueueChoices,
  startFaultServers,
  type FaultServers,
  type Installation,
} from "./installation.ts";
import { pushTo, sendWebhook, webhookHeaders, type Endpoint, type PushDelivery } from "./push-delivery.ts";
import { pauseWrites } from "./write-pause.ts";

const SHORT_DRAIN = { SLUICE_DRAIN_TIMEOUT_MS: "2000" };
/** The time to drain, and a slow machine's time to notice. */
const DRAIN_LIMIT_MS = 5_000;
const STOPPED = { code: 0, signal: null };
/** What is in hand had to be cut off. */
const CUT_OFF = { code: 1, signal: null };

const choices = await listQueueChoices(inject("redisUrl"));

describe.each(choices)("SIGTERM, with the queue on $queue", { timeout: 120_000 }, (choice) => {
  describe.skipIf(choice.isSkipped)("to a service", () => {
    let servers: FaultServers;
    let installation: Installation;
    let infra: Repository;
    let apps: Repository;
    const sent: PushDelivery[] = [];

    beforeAll(async () => {
      servers = await startFaultServers(choice);
      installation = await createInstallation(servers);
      for (const slug of ["infra", "apps"]) {
        await installation.addStack(`acme/${slug}`, `acme/${slug}`, slug === "apps" ? "app" : "");
        installation.bitbucket.createRepository({ workspace: "acme", slug });
      }
      infra = installation.bitbucket.findRepository("acme/infra")!;
      apps = installation.bitbucket.findRepository("acme/apps")!;
      pushTo(apps, "main");
    });

    afterAll(async () => {
      await installation.dispose();
      await servers.dispose();
    });

    const expectAllWritten = () => expectWrittenOnce(installation, sent, (repository) => [repository]);

    async function sendBy(endpoint: Endpoint, ...deliveries: readonly PushDelivery[]): Promise<void> {
      for (const delivery of deliveries) {
        expect(await sendWebhook(endpoint, delivery)).toEqual(ACCEPTED);
        sent.push(delivery);
      }
    }

    async function countActive(name: string): Promise<number> {
      const { queue, close } = await installation.queues.openQueue(name);
      const count = await queue.getActiveCount();
      await close();
      return count;
    }

    test("an ingress answers the request that it is receiving, takes no other, and ends", async () => {
      const ingress = await installation.start("ingress");
      const delivery = pushTo(infra, "main");
      const slow = await beginRequest(installation.endpoint(ingress), delivery);
      const ended = ingress.stop();
      await expect.poll(() => ingress.countLines("service.stopping"), WAIT).toBe(1);
      // On a branch that nobody tracks: a push of it that is lost keeps nothing waiting.
      const refused = pushTo(infra, "lost");
      await expect
        .poll(() => sendWebhook(installation.endpoint(ingress), refused), WAIT)
        .toEqual({ status: null, retryAfter: null });
      expect(await slow.finish()).toEqual({ status: 202, connection: "close" });
      expect(await ended).toEqual(STOPPED);
      sent.push(delivery);
      await installation.start("worker");
      await expectAllWritten();
      await installation.killAll("worker");
    });

    test("a worker finishes the jobs that it has begun, and ends", async () => {
      const ingress = await installation.start("ingress");
      const worker = await installation.start("worker");
      const pause = await pauseWrites(installation.databaseUrl, { after: "insert", table: "events" });
      await sendBy(installation.endpoint(ingress), pushTo(infra, "main", "feature"));
      await expect.poll(() => pause.isReached(), WAIT).toBe(true);
      const ended = worker.stop();
      await expect.poll(() => worker.countLines("service.stopping"), WAIT).toBe(1);
      await pause.end();
      expect(await ended).toEqual(STOPPED);
      // Nobody is there to take a job that it would have given back.
      await expectAllWritten();
      await ingress.stop();
    });

    test("a worker that cannot finish in time ends all the same, and another takes what it had in hand", async () => {
      const ingress = await installation.start("ingress");
      const worker = await installation.start("worker", SHORT_DRAIN);
      const mend = installation.bitbucketServer.injectFault("GET *diffstat*", {
        kind: "slow",
        delayMs: 60_000,
      });
      await sendBy(installation.endpoint(ingress), pushTo(apps, "main"));
      await expect.poll(() => countActive(eventsQueue.name), WAIT).toBe(1);
      const pause = await pauseWrites(installation.databaseUrl, { after: "insert", table: "events" });
      await sendBy(installation.endpoint(ingress), pushTo(infra, "main"));
      await expect.poll(() => pause.isReached(), WAIT).toBe(true);
      expect(await countActive(deliveriesQueue.name)).toBe(1);
      const begunAt = performance.now();
      expect(await worker.stop()).toEqual(CUT_OFF);
      expect(performance.now() - begunAt).toBeLessThan(DRAIN_LIMIT_MS);
      mend();
      await pause.end();
      await installation.start("worker");
      await expectAllWritten();
    });
  });
});

/** Sends the head of a request and half of its body, and resolves when the server has seen the head. */
async function beginRequest({ url, secret }: Endpoint, { requestId, body }: PushDelivery) {
  const outgoing = request(url, {
    method: "POST",
    headers: {
      ...webhookHeaders(requestId, "repo:push"),
      "Content-Type": "application/json",
      "Content-Length": String(body.byteLength),
      "X-Hub-Signature": signBody(body, secret),
      Expect: "100-continue",
    },
  });
  const answered = new Promise<{ status: number | undefined; connection: string | undefined }>(
    (resolve, reject) => {
      outgoing.once("error", reject);
      outgoing.once("response", (response) => {
        response.resume();
        resolve({ status: response.statusCode, connection: response.headers.connection });
      });
    },
  );
  // Whoever calls `finish` is told of it.
  answered.catch(() => undefined);
  outgoing.flushHeaders();
  await new Promise<void>((resolve, reject) => void outgoing.once("continue", resolve).once("error", reject));
  const half = Math.floor(body.byteLength / 2);
  outgoing.write(body.subarray(0, half));
  return {
    finish() {
      outgoing.end(body.subarray(half));
      return answered;
    },
  };
}
