/** With the queue on Redis, Postgres may be away: webhooks are accepted all the same, and nothing is lost or used up. */
import { deliveriesQueue } from "@sluice/queue/queues";
import type { Repository } from "@sluice/simulator/repository";
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from "vitest";

import {
  ACCEPTED,
  COME_BACK,
  expectListening,
  expectNotReady,
  expectWrittenOnce,
  WAIT,
} from "./expectations.ts";
import {
  createInstallation,
  listQueueChoices,
  startFaultServers,
  type FaultServers,
  type Installation,
} from "./installation.ts";
import { probe, pushTo, sendWebhook, type PushDelivery } from "./push-delivery.ts";
import type { ServiceProcess } from "./service-process.ts";
import { pauseWrites } from "./write-pause.ts";
import { countWritten } from "./written-rows.ts";

const BURST = 20;
const DEATHS = 6;

const [onRedis] = await listQueueChoices(inject("redisUrl"));

describe.skipIf(onRedis!.isSkipped)("Postgres, with the queue on Redis", { timeout: 90_000 }, () => {
  let servers: FaultServers;
  let installation: Installation;
  let repository: Repository;
  let ingress: ServiceProcess;
  let worker: ServiceProcess;
  const sent: PushDelivery[] = [];

  beforeAll(async () => {
    servers = await startFaultServers(onRedis!);
    installation = await createInstallation(servers);
    await installation.addStack("acme/infra", "everything");
    repository = installation.bitbucket.createRepository({ workspace: "acme", slug: "infra" });
    [ingress, worker] = await Promise.all([installation.start("ingress"), installation.start("worker")]);
  });

  afterAll(async () => {
    await installation.dispose();
    await servers.dispose();
  });

  const send = (delivery: PushDelivery) => sendWebhook(installation.endpoint(ingress), delivery);
  const probeUnknown = () => probe(installation.endpoint(ingress, "nobody"));

  async function expectBurstAccepted(): Promise<void> {
    const burst = Array.from({ length: BURST }, () => pushTo(repository, "main", "feature"));
    expect(await Promise.all(burst.map(send))).toEqual(burst.map(() => ACCEPTED));
    sent.push(...burst);
  }

  async function expectBack(): Promise<void> {
    await expectWrittenOnce(installation, sent);
    await expectNotReady(ingress, []);
    await expectNotReady(worker, []);
    expect([ingress.hasEnded, worker.hasEnded]).toEqual([false, false]);
  }

  async function attemptsMade(): Promise<readonly number[]> {
    const { queue, close } = await installation.queues.openQueue(deliveriesQueue.name);
    const jobs = await queue.getJobs(["waiting", "active", "delayed", "failed"]);
    await close();
    return [...new Set(jobs.map((job) => job.attemptsMade))];
  }

  test("killed: known slugs are accepted, unknown ones told to come back; jobs wait and use up no attempt; back: all run once (rule 8)", async () => {
    await expectBurstAccepted();
    expect(await probeUnknown()).toMatchObject({ status: 401 });
    await servers.postgres.kill();
    await expectBurstAccepted();
    await expectNotReady(worker, ["postgres"]);
    // While what was read is fresh, it proves that there is no such slug; then nobody can say, and a 401 would be final.
    await expect.poll(probeUnknown, WAIT).toEqual(COME_BACK);
    await expectNotReady(ingress, ["integrations"]);
    await expectBurstAccepted();
    await expect.poll(() => worker.countLines("queue.job_postponed"), WAIT).toBeGreaterThan(3);
    expect(await attemptsMade()).toEqual([0]);
    await servers.postgres.start();
    await expectBack();
    expect(await probeUnknown()).toMatchObject({ status: 401 });
    await expectListening(installation, ingress);
  });

  test.each(["insert", "commit"] as const)(
    "killed within the %s of a transaction: the worker that waits for the answer stays, and does it again",
    async (after) => {
      const pause = await pauseWrites(installation.databaseUrl, { after, table: "events" });
      await expectBurstAccepted();
      await expect.poll(() => pause.isReached(), WAIT).toBe(true);
      await servers.postgres.kill();
      await servers.postgres.start();
      await pause.end();
      await expectBack();
    },
  );

  test("killed again and again in the middle of work, also while a worker starts: nobody ends, and all run once", async () => {
    for (let round = 0; round < DEATHS; round += 1) {
      await expectBurstAccepted();
      await expect.poll(() => countWritten(installation.store), WAIT).toMatchObject({ undecided: 0 });
      await expectBurstAccepted();
      const another = installation.launch("worker");
      await (round % 2 === 0 ? another.started : undefined);
      await servers.postgres.kill();
      await servers.postgres.start();
      await another.started;
      expect([another.hasEnded, worker.hasEnded]).toEqual([false, false]);
      await another.kill();
    }
    await expectBack();
  });

  test("hung: known slugs are accepted, the worker says that it is not ready; back: all run once", async () => {
    servers.postgres.freeze();
    onTestFinished(() => servers.postgres.resume());
    await expectBurstAccepted();
    await expectNotReady(worker, ["postgres"]);
    servers.postgres.resume();
    await expectBack();
    expect(await probeUnknown()).toMatchObject({ status: 401 });
  });

  test.each(["Postgres", "Redis"])(
    "away together with Redis, %s back first: 503 until Redis is there, and everything runs once",
    async (first) => {
      await expectBurstAccepted();
      await Promise.all([servers.postgres.stop(), servers.queue.kill()]);
      const refused = pushTo(repository, "main");
      expect(await send(refused)).toEqual(COME_BACK);
      await expectNotReady(worker, ["postgres", "queue"]);
      await expect.poll(() => ingress.notReady(), WAIT).toContain("queue");
      const order = [servers.postgres, servers.queue];
      const [one, other] = first === "Postgres" ? order : order.toReversed();
      await one!.start();
      await expectNotReady(worker, first === "Postgres" ? ["queue"] : ["postgres"]);
      await other!.start();
      await expect.poll(() => send(refused), WAIT).toEqual(ACCEPTED);
      sent.push(refused);
      await expectBack();
    },
  );

  test("away when the services start: nobody is turned away for good; back: known, and listening, without a restart (rule 8)", async () => {
    await servers.postgres.stop();
    await Promise.all([ingress.kill(), worker.kill()]);
    [ingress, worker] = await Promise.all([installation.start("ingress"), installation.start("worker")]);
    const delivery = pushTo(repository, "main");
    expect(await send(delivery)).toEqual(COME_BACK);
    await expectNotReady(ingress, ["integrations"]);
    await servers.postgres.start();
    await expect.poll(() => send(delivery), WAIT).toEqual(ACCEPTED);
    sent.push(delivery);
    await expectBack();
    await expectListening(installation, ingress);
  });
});
