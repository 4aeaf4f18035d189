/** A push while no ingress is there, and that nobody sends again: a sweep finds it. */
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";

import { runCli } from "../cli.ts";
import { ACCEPTED, WAIT } from "./expectations.ts";
import {
  createInstallation,
  listQueueChoices,
  startFaultServers,
  type FaultServers,
  type Installation,
} from "./installation.ts";
import { pushTo, sendWebhook } from "./push-delivery.ts";

const choices = await listQueueChoices(inject("redisUrl"));

describe.each(choices)("with the queue on $queue", { timeout: 120_000 }, (choice) => {
  describe.skipIf(choice.isSkipped)("a push that no ingress was there for", () => {
    let servers: FaultServers;
    let installation: Installation;

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

    const repository = () => installation.bitbucket.findRepository("acme/infra")!;

    async function sweep(): Promise<{ readonly code: number; readonly out: string }> {
      let out = "";
      const code = await runCli(["sweep", "--repository", "acme/infra", "--json"], {
        environment: { DATABASE_URL: installation.databaseUrl },
        print: (text) => void (out += text),
        report: () => undefined,
        isInteractive: false,
        confirm: () => Promise.resolve(false),
        readLines: async function* readLines() {
          yield* [];
        },
        workingDirectory: `/${randomUUID()}`,
      });
      return { code, out };
    }

    const listTriggers = () => installation.store.sql`
      SELECT commit_sha, deliveries.source FROM sluice.triggers
      JOIN sluice.events ON events.id = event_id JOIN sluice.deliveries ON deliveries.id = delivery_id
      ORDER BY position`;

    test("is found by `sluice sweep`, and its webhook runs nothing more (rule 34)", async () => {
      const ingress = await installation.start("ingress");
      await installation.start("worker", { SWEEP_GRACE_SECONDS: "1" });
      const told = pushTo(repository(), "main");
      expect(await sendWebhook(installation.endpoint(ingress), told)).toEqual(ACCEPTED);
      await expect.poll(listTriggers, WAIT).toHaveLength(1);
      const isSwept = async () => {
        const { sweptAt } = (JSON.parse((await sweep()).out) as { sweptAt: string | null }[])[0]!;
        return sweptAt !== null;
      };
      await expect.poll(isSwept, { ...WAIT, interval: 1_000 }).toBe(true);

      await ingress.kill();
      const missed = pushTo(repository(), "main");
      const again = await installation.start("ingress");
      expect((await sweep()).code).toBe(0);
      const both = [
        { commitSha: told.changes[0]!.sha, source: "webhook" },
        { commitSha: missed.changes[0]!.sha, source: "sweep" },
      ];
      await expect.poll(listTriggers, WAIT).toEqual(both);

      expect(await sendWebhook(installation.endpoint(again), missed)).toEqual(ACCEPTED);
      const isDecided = () => installation.store.sql`
        SELECT reason FROM sluice.decisions
        JOIN sluice.events ON events.id = event_id JOIN sluice.deliveries ON deliveries.id = delivery_id
        WHERE request_id = ${missed.requestId}`;
      await expect.poll(isDecided, WAIT).toEqual([{ reason: "duplicate" }]);
      expect(await listTriggers()).toEqual(both);
    });
  });
});
