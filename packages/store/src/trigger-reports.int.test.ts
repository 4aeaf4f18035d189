import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

import type { TriggerState } from "@sluice/domain/trigger";
import { createTestDatabase, type TestDatabase } from "@sluice/embedded/test-database";
import { afterAll, afterEach, beforeAll, beforeEach, expect, inject, test } from "vitest";

import { claimTriggers } from "./claims.ts";
import { openStore, type Store } from "./client.ts";
import { migrateStore } from "./migrate.ts";
import { insertIntegration, insertStack } from "./test-fixtures.ts";
import { insertTrigger } from "./test-trigger-fixtures.ts";
import { withTransaction } from "./transaction.ts";
import {
  finishTrigger,
  heartbeat,
  startTrigger,
  waitTrigger,
  type ReportOutcome,
} from "./trigger-reports.ts";

let database: TestDatabase;
let store: Store;
let held: { readonly id: string; readonly leaseToken: string };

beforeAll(async () => {
  database = await createTestDatabase({
    serverUrl: inject("postgresUrl"),
    migrate: migrateStore,
    key: "store",
  });
  store = openStore({ url: database.url, maxConnections: 12, applicationName: "test" });
});

afterAll(async () => {
  await store.close();
  await database.drop();
});

beforeEach(async () => {
  const id = randomUUID();
  await insertIntegration(store, { id, slug: `acme-${id.slice(0, 8)}`, webhookSecretCiphertext: "-" });
  const targetId = await insertStack(store, { integrationId: id, repository: "acme/infra", name: id });
  await insertTrigger(store, { targetId, position: 1 });
  const [claim] = await claimTriggers(store, { limit: 1, leaseMs: 60_000, holder: "a scheduler" });
  if (claim === undefined) throw new Error("nothing can be claimed");
  held = claim;
});

afterEach(async () => {
  await store.sql`TRUNCATE sluice.triggers, sluice.events, sluice.targets CASCADE`;
});

async function setState(state: TriggerState): Promise<void> {
  await store.sql`UPDATE sluice.triggers SET state = ${state}`;
}

async function history(): Promise<string[]> {
  const rows = await store.sql<{ line: string }[]>`
    SELECT concat_ws(' ', state, 'by', actor, note) AS line FROM sluice.trigger_history
    WHERE trigger_id = ${held.id} ORDER BY at, id`;
  return rows.map(({ line }) => line);
}

async function millisecondsLeft(): Promise<number> {
  const [row] = await store.sql<{ left: number }[]>`
    SELECT (extract(epoch FROM lease_expires_at - now()) * 1000)::int AS left FROM sluice.triggers WHERE id = ${held.id}`;
  return row?.left ?? 0;
}

test("every change of state is one line of history, a report that changes none is not (rule 28)", async () => {
  await startTrigger(store, { ...held, leaseMs: 60_000 });
  await startTrigger(store, { ...held, leaseMs: 60_000 });
  await heartbeat(store, { ...held, leaseMs: 60_000 });
  await finishTrigger(store, { ...held, result: "failed", message: "exit 1" });
  await finishTrigger(store, { ...held, result: "failed", message: "exit 1" });
  expect(await history()).toEqual([
    "claimed by a scheduler",
    "running by a scheduler",
    "failed by a scheduler exit 1",
  ]);
});

test("a start after the lease expired is accepted and renews it, as long as nobody else was given the trigger (rule 28)", async () => {
  await store.sql`UPDATE sluice.triggers SET lease_expires_at = now() - interval '1 hour'`;
  expect(await startTrigger(store, { ...held, leaseMs: 60_000, runId: "7" })).toMatchObject({
    kind: "ok",
    state: "running",
  });
  expect(await millisecondsLeft()).toBeGreaterThan(30_000);
});

test("a report never shortens a lease", async () => {
  await heartbeat(store, { ...held, leaseMs: 3_600_000 });
  await startTrigger(store, { ...held, leaseMs: 1_000 });
  await heartbeat(store, { ...held, leaseMs: 1_000 });
  expect(await millisecondsLeft()).toBeGreaterThan(3_000_000);
});

test("a start that is repeated keeps what it told of the run", async () => {
  await startTrigger(store, { ...held, leaseMs: 1_000, runId: "7", runUrl: "https://runs.example/7" });
  await startTrigger(store, { ...held, leaseMs: 1_000 });
  const [row] = await store.sql`SELECT run_id, run_url FROM sluice.triggers WHERE id = ${held.id}`;
  expect(row).toEqual({ runId: "7", runUrl: "https://runs.example/7" });
});

test("a run that waits for a person is held without an end, and needs no heartbeat (rule 28)", async () => {
  await startTrigger(store, { ...held, leaseMs: 60_000 });
  const waits = { kind: "ok", state: "waiting", cancelRequested: false, leaseExpiresAt: null };
  expect(await waitTrigger(store, held)).toEqual(waits);
  expect(await waitTrigger(store, held)).toEqual(waits);
  expect(await history()).toEqual([
    "claimed by a scheduler",
    "running by a scheduler",
    "waiting by a scheduler",
  ]);
});

test.each([
  ["a start", startTrigger],
  ["a heartbeat", heartbeat],
])("%s makes a run that waited run again, with a lease (rule 28)", async (_, report) => {
  await startTrigger(store, { ...held, leaseMs: 3_600_000 });
  await waitTrigger(store, held);
  expect(await report(store, { ...held, leaseMs: 60_000 })).toMatchObject({ kind: "ok", state: "running" });
  expect(await millisecondsLeft()).toBeGreaterThan(30_000);
  expect(await millisecondsLeft()).toBeLessThanOrEqual(60_000);
  expect((await history()).at(-1)).toBe("running by a scheduler");
});

test("a run that waits can be finished", async () => {
  await startTrigger(store, { ...held, leaseMs: 60_000 });
  await waitTrigger(store, held);
  expect(await finishTrigger(store, { ...held, result: "succeeded" })).toMatchObject({ state: "succeeded" });
});

test("a lost run waits when its holder says so (rule 28)", async () => {
  await setState("lost");
  expect(await waitTrigger(store, held)).toMatchObject({ kind: "ok", state: "waiting" });
  expect((await history()).at(-1)).toBe(
    "waiting by a scheduler its holder reported after the lease had expired",
  );
});

test("only who holds a run can let it wait, and only once it has started (rule 28)", async () => {
  expect(await waitTrigger(store, held)).toEqual({ kind: "conflict", state: "claimed" });
  await startTrigger(store, { ...held, leaseMs: 60_000 });
  const other = { ...held, leaseToken: randomUUID() };
  expect(await waitTrigger(store, other)).toMatchObject({ kind: "not_holder", holder: "a scheduler" });
});

test.each(["succeeded", "failed", "canceled", "superseded"] as const)(
  "a trigger that is %s is not started, kept alive or made to wait",
  async (state) => {
    await setState(state);
    expect(await startTrigger(store, { ...held, leaseMs: 1_000 })).toEqual({ kind: "conflict", state });
    expect(await heartbeat(store, { ...held, leaseMs: 1_000 })).toEqual({ kind: "conflict", state });
    expect(await waitTrigger(store, held)).toEqual({ kind: "conflict", state });
  },
);

test("a trigger that nobody holds refuses every token (rule 28)", async () => {
  await store.sql`
    UPDATE sluice.triggers SET state = 'queued', lease_token = NULL, lease_holder = NULL, lease_expires_at = NULL`;
  const refused = { kind: "not_holder", state: "queued", holder: null, leaseExpiresAt: null };
  expect(await startTrigger(store, { ...held, leaseMs: 1_000 })).toEqual(refused);
  expect(await finishTrigger(store, { ...held, result: "failed" })).toEqual(refused);
});

test("a trigger that does not exist is not found", async () => {
  const nobody = { id: randomUUID(), leaseToken: randomUUID() };
  expect(await startTrigger(store, { ...nobody, leaseMs: 1_000 })).toEqual({ kind: "not_found" });
});

test("of results that are reported at once one is taken, and the others are told which (rule 28)", async () => {
  const reports: Promise<{ readonly result: string; readonly outcome: ReportOutcome }>[] = [];
  await withTransaction(store, async (tx) => {
    // All of them begin before the first can end.
    await tx.sql`SELECT FROM sluice.triggers WHERE id = ${held.id} FOR UPDATE`;
    for (const result of ["succeeded", "failed", "canceled", "succeeded"] as const) {
      const report = finishTrigger(store, { ...held, result }).then((outcome) => ({ result, outcome }));
      // It is awaited below, when the lock is gone.
      report.catch(() => undefined);
      reports.push(report);
    }
    await waitForBlocked(reports.length);
  });
  const outcomes = await Promise.all(reports);
  const [row] = await store.sql<{ state: TriggerState }[]>`
    SELECT state FROM sluice.triggers WHERE id = ${held.id}`;
  const state = row?.state;
  for (const { result, outcome } of outcomes) {
    expect(outcome).toMatchObject({ kind: result === state ? "ok" : "conflict", state });
  }
  expect(await history()).toEqual(["claimed by a scheduler", `${String(state)} by a scheduler`]);
});

async function waitForBlocked(statements: number): Promise<void> {
  for (;;) {
    const [row] = await store.sql<{ count: number }[]>`
      SELECT count(*) FROM pg_stat_activity
      WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%sluice.triggers%'`;
    if ((row?.count ?? 0) >= statements) return;
    await sleep(5);
  }
}
