/** What senders are told while the server that keeps the queue is away, and what becomes of what they sent. */
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
import { pushTo, sendWebhook, type PushDelivery } from "./push-delivery.ts";
import type { ServiceProcess } from "./service-process.ts";

const BURST = 20;
const DEATHS = 6;

const choices = await listQueueChoices(inject("redisUrl"));

describe.each(choices)("the server of a queue on $queue", { timeout: 90_000 }, (choice) => {
  describe.skipIf(choice.isSkipped)("away and back", () => {
    let servers: FaultServers;
    let installation: Installation;
    let repository: Repository;
    let ingress: ServiceProcess;
    let worker: ServiceProcess;
    const sent: PushDelivery[] = [];

    beforeAll(async () => {
      servers = await startFaultServers(choice);
      installation = await createInstallation(servers);
      await installation.addStack("acme/infra", "everything");
      repository = installation.bitbucket.createRepository({ workspace: "acme", slug: "infra" });
      [ingress, worker] = await Promise.all([installation.start("ingress"), installation.start("worker")]);
    });

    afterAll(async () => {
      await installation.dispose();
      await servers.dispose();
    });

    const aBurst = () => Array.from({ length: BURST }, () => pushTo(repository, "main", "feature"));

    const send = (delivery: PushDelivery) => sendWebhook(installation.endpoint(ingress), delivery);

    /** Sends all at once, each once. */
    const sendAll = (deliveries: readonly PushDelivery[]) => Promise.all(deliveries.map(send));

    /** As Bitbucket's retry, or a person's resend: the same identity, until it is accepted. */
    async function resendAll(deliveries: readonly PushDelivery[]): Promise<void> {
      for (const delivery of deliveries) await expect.poll(() => send(delivery), WAIT).toEqual(ACCEPTED);
    }

    async function expectAway(): Promise<void> {
      await expect.poll(() => ingress.notReady(), WAIT).toContain("queue");
      await expectNotReady(worker, choice.queue === "Redis" ? ["queue"] : ["postgres", "queue"]);
    }

    async function expectBack(): Promise<void> {
      await expectWrittenOnce(installation, sent);
      await expectNotReady(ingress, []);
      await expectNotReady(worker, []);
      expect([ingress.hasEnded, worker.hasEnded]).toEqual([false, false]);
    }

    test("that refuses connections: 503 with Retry-After, named by /readyz; back: 202 without a restart, nothing twice (rule 8)", async () => {
      const before = aBurst();
      expect(await sendAll(before)).toEqual(before.map(() => ACCEPTED));
      await servers.queue.kill();
      const during = aBurst();
      expect(await sendAll(during)).toEqual(during.map(() => COME_BACK));
      await expectAway();
      await servers.queue.start();
      await resendAll(during);
      sent.push(...before, ...during);
      await expectBack();
      await expectListening(installation, ingress);
    });

    test("that dies again and again in the middle of work: the services stay, and everything runs once", async () => {
      for (let round = 0; round < DEATHS; round += 1) {
        const burst = aBurst();
        await resendAll(burst);
        // Once more, so that there is work in hand.
        expect(await sendAll(burst)).toEqual(burst.map(() => ACCEPTED));
        await servers.queue.kill();
        await servers.queue.start();
        sent.push(...burst);
      }
      await expectBack();
    });

    test("that hangs: 503 in time for everyone of a burst, and for those who come later; back: nothing twice (rule 8)", async () => {
      servers.queue.freeze();
      onTestFinished(() => servers.queue.resume());
      const during = aBurst();
      expect(await sendAll(during)).toEqual(during.map(() => COME_BACK));
      const later = aBurst();
      expect(await sendAll(later)).toEqual(later.map(() => COME_BACK));
      await expectAway();
      servers.queue.resume();
      await resendAll([...during, ...later]);
      sent.push(...during, ...later);
      await expectBack();
    });

    test.runIf(choice.queue === "Redis")(
      "that hangs and then stores what was answered 503: it runs without being sent again, and once when it is",
      async () => {
        servers.queue.freeze();
        onTestFinished(() => servers.queue.resume());
        const delivery = pushTo(repository, "main");
        expect(await send(delivery)).toEqual(COME_BACK);
        servers.queue.resume();
        sent.push(delivery);
        await expectBack();
        await resendAll([delivery]);
        await expectBack();
      },
    );

    test("that is not there yet when the services start: they start, answer 503, and take up work when it comes (rule 8)", async () => {
      await servers.queue.stop();
      await Promise.all([ingress.kill(), worker.kill()]);
      [ingress, worker] = await Promise.all([installation.start("ingress"), installation.start("worker")]);
      const during = aBurst();
      expect(await sendAll(during)).toEqual(during.map(() => COME_BACK));
      await expectAway();
      await servers.queue.start();
      await resendAll(during);
      sent.push(...during);
      await expectBack();
    });
  });
});
