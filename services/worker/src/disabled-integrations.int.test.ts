/** An integration that is switched off: what comes is kept and makes nothing, and nothing is asked. */
import { createTestDatabase } from "@sluice/embedded/test-database";
import { createBitbucket } from "@sluice/simulator/bitbucket";
import { DEFAULT_CREDENTIALS } from "@sluice/simulator/rest-auth";
import { startBitbucketServer } from "@sluice/simulator/rest-server";
import { saveIntegrations } from "@sluice/store/declared-integrations";
import { findIntegrationRecord } from "@sluice/store/integration-records";
import { migrateStore } from "@sluice/store/migrate";
import { expect, inject, test } from "vitest";

import { useScene } from "./test-scene.ts";

const bitbucket = createBitbucket({ seed: "disabled integrations" });
const { aStack, decisions, push, reasons, repository, runsOf, server, sweeps, tell } = useScene({
  token: DEFAULT_CREDENTIALS[0]!.token,
  startServer: () => startBitbucketServer({ bitbucket }),
  createDatabase: () =>
    createTestDatabase({ serverUrl: inject("postgresUrl"), migrate: migrateStore, key: "store" }),
  createRepository: (number) =>
    bitbucket.createRepository({ workspace: "acme", slug: `switched-${String(number)}` }),
});

async function turn(enabled: boolean): Promise<void> {
  const { store, integrationId } = sweeps().worker;
  const record = await findIntegrationRecord(store, integrationId());
  await saveIntegrations(store, [{ ...record!, previousSecretExpiresInMs: null, enabled }]);
}

test("what comes is recorded and decided, by a reason that says what is switched off, without a call", async () => {
  const stack = await aStack("network");
  await turn(false);
  server().clearCalls();
  await tell(push().webhooks);
  expect(await decisions()).toMatchObject([
    {
      targetId: stack,
      reason: "target_disabled",
      evidence: { disabled: "integration" },
      sentence: "The integration of the target is disabled.",
    },
  ]);
  expect(server().calls).toEqual([]);
  await turn(true);
  const { hash, webhooks } = push();
  await tell(webhooks);
  expect(await reasons()).toEqual(["target_disabled", "triggered"]);
  expect(await runsOf(stack)).toEqual([["tracked", hash, "queued"]]);
});

test("a target that is switched off itself says so, also where its integration is", async () => {
  const stack = await aStack();
  await sweeps().worker.store.sql`UPDATE sluice.targets SET enabled = false WHERE id = ${stack}`;
  await turn(false);
  await tell(push().webhooks);
  expect(await decisions()).toMatchObject([{ evidence: {}, sentence: "The target is disabled." }]);
});

test("sweeps do not look at it, and what was pushed meanwhile is where its targets begin again", async () => {
  const stack = await sweeps().aStack(repository());
  await tell(push().webhooks);
  await sweeps().sweepNow();
  await turn(false);
  push();
  server().clearCalls();
  await sweeps().sweepNow();
  expect(server().calls).toEqual([]);
  await turn(true);
  await sweeps().sweepNow();
  expect(server().calls).not.toEqual([]);
  expect(await runsOf(stack)).toHaveLength(1);
  expect(await sweeps().headOf(repository())).toBe(repository().head());
});
