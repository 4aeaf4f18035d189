/** An ingress that dies in the middle of a burst: what a sender was told is accepted is in the queue, and is recorded. */
import { decodeDeliveries, deliveriesPayload } from "@sluice/queue/delivery-codec";
import { deliveriesQueue } from "@sluice/queue/queues";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";

import { ACCEPTED, expectWrittenOnce } from "./expectations.ts";
import {
  createInstallation,
  listQueueChoices,
  startFaultServers,
  type FaultServers,
  type Installation,
} from "./installation.ts";
import { pushTo, sendWebhook, type PushDelivery } from "./push-delivery.ts";

const BURST = 300;
/** Under way at once: less than what is left of the burst when the ingress is killed, however slowly its end is noticed. */
const AT_ONCE = 100;
/** After so many answers the ingress is killed. */
const KILLED_AFTER = [1, 40, 150];

const choices = await listQueueChoices(inject("redisUrl"));

describe.each(choices)("an ingress, with the queue on $queue", { timeout: 120_000 }, (choice) => {
  describe.skipIf(choice.isSkipped)("killed in the middle of a burst", () => {
    let servers: FaultServers;
    let installation: Installation;
    const accepted: PushDelivery[] = [];
    const unanswered: PushDelivery[] = [];

    beforeAll(async () => {
      servers = await startFaultServers(choice);
      installation = await createInstallation(servers);
      await installation.addStack("acme/infra", "everything");
      installation.bitbucket.createRepository({ workspace: "acme", slug: "infra" });
    });

    afterAll(async () => {
      await installation.dispose();
      await servers.dispose();
    });

    const aPush = () => pushTo(installation.bitbucket.findRepository("acme/infra")!, "main");

    async function listQueued(): Promise<ReadonlySet<string>> {
      const { queue, close } = await installation.queues.openQueue(deliveriesQueue.name);
      const jobs = await queue.getWaiting(0, -1);
      await close();
      const deliveries = await Promise.all(
        jobs.map((job) => decodeDeliveries(deliveriesPayload.parse(job.data))),
      );
      return new Set(deliveries.flat().map(({ requestId }) => requestId));
    }

    test.each(KILLED_AFTER)("after %i answers: every 202 is in the queue (rule 8)", async (killedAfter) => {
      const ingress = await installation.start("ingress");
      let answers = 0;
      const sendOne = async (delivery: PushDelivery): Promise<void> => {
        const { status } = await sendWebhook(installation.endpoint(ingress), delivery);
        (status === 202 ? accepted : unanswered).push(delivery);
        answers += 1;
        if (answers === killedAfter) await ingress.kill();
      };
      const burst = Array.from({ length: BURST }, aPush).values();
      const sendInTurn = async (): Promise<void> => {
        for (const delivery of burst) await sendOne(delivery);
      };
      await Promise.all(Array.from({ length: AT_ONCE }, sendInTurn));
      expect(answers).toBe(BURST);
      expect(unanswered.length).toBeGreaterThan(0);
      const queued = await listQueued();
      expect(accepted.filter(({ requestId }) => !queued.has(requestId))).toEqual([]);
    });

    test("and what had no answer sent again: everything is recorded and decided once", async () => {
      const [ingress] = await Promise.all([installation.start("ingress"), installation.start("worker")]);
      const endpoint = installation.endpoint(ingress);
      for (const delivery of unanswered) expect(await sendWebhook(endpoint, delivery)).toEqual(ACCEPTED);
      await expectWrittenOnce(installation, [...accepted, ...unanswered]);
    });
  });
});
