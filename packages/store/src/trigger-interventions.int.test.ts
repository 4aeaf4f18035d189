import { randomUUID } from "node:crypto";

import { RUN_RESULTS, SLOT_STATES, type TriggerState } from "@sluice/domain/trigger";
import { createTestDatabase, type TestDatabase } from "@sluice/embedded/test-database";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, test } from "vitest";

import { claimTriggers, expireLeases } from "./claims.ts";
import { openStore, type Store } from "./client.ts";
import { migrateStore } from "./migrate.ts";
import { insertIntegration, insertStack } from "./test-fixtures.ts";
import { insertTrigger } from "./test-trigger-fixtures.ts";
import { cancelTrigger, endTrigger } from "./trigger-interventions.ts";
import { finishTrigger, heartbeat, startTrigger, waitTrigger } from "./trigger-reports.ts";

let database: TestDatabase;
let store: Store;
let targetId: string;
let id: string;

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
  const integrationId = randomUUID();
  await insertIntegration(store, {
    id: integrationId,
    slug: `acme-${integrationId.slice(0, 8)}`,
    webhookSecretCiphertext: "-",
  });
  targetId = await insertStack(store, { integrationId, repository: "acme/infra", name: integrationId });
  id = await insertTrigger(store, { targetId, position: 1 });
});

afterEach(async () => {
  await store.sql`TRUNCATE sluice.triggers, sluice.events, sluice.targets CASCADE`;
});

async function claim() {
  const [held] = await claimTriggers(store, { limit: 1, leaseMs: 60_000, holder: "a scheduler" });
  if (held === undefined) throw new Error("nothing can be claimed");
  return held;
}

async function claimIds(): Promise<string[]> {
  const claims = await claimTriggers(store, { limit: 9, leaseMs: 60_000, holder: "a scheduler" });
  return claims.map((held) => held.id);
}

/** Claimed by a scheduler, started, and then in this state as it comes to be. */
async function heldIn(state: (typeof SLOT_STATES)[number]) {
  const held = await claim();
  if (state !== "claimed") await startTrigger(store, { ...held, leaseMs: 60_000 });
  if (state === "waiting") await waitTrigger(store, held);
  if (state === "lost") {
    await letLeaseExpire();
    await expireLeases(store);
  }
  return held;
}

async function letLeaseExpire(): Promise<void> {
  await store.sql`UPDATE sluice.triggers SET lease_expires_at = now() - interval '1 second' WHERE id = ${id}`;
}

async function setState(state: TriggerState): Promise<void> {
  await store.sql`UPDATE sluice.triggers SET state = ${state} WHERE id = ${id}`;
}

async function find() {
  const [row] = await store.sql`
    SELECT state, cancel_requested, message, lease_expires_at FROM sluice.triggers WHERE id = ${id}`;
  return row;
}

async function history(): Promise<string[]> {
  const rows = await store.sql<{ line: string }[]>`
    SELECT concat_ws(' ', state, 'by', actor, note) AS line FROM sluice.trigger_history
    WHERE trigger_id = ${id} ORDER BY at, id`;
  return rows.map(({ line }) => line);
}

describe("cancel (rule 28)", () => {
  const cancel = () => cancelTrigger(store, { id, by: "ada" });
  const canceled = { kind: "ok", state: "canceled", cancelRequested: true, leaseExpiresAt: null };

  test.each(["blocked", "queued"] as const)("one that is %s is canceled at once", async (state) => {
    await setState(state);
    const next = await insertTrigger(store, { targetId, position: 2 });
    expect(await cancel()).toEqual(canceled);
    expect(await find()).toMatchObject({ message: "Canceled by ada before it had started." });
    expect(await history()).toEqual(["canceled by ada"]);
    expect(await claimIds()).toEqual([next]);
  });

  test("one that was claimed and whose lease expired is canceled at once, and its holder is told so", async () => {
    const held = await heldIn("claimed");
    await letLeaseExpire();
    expect(await cancel()).toEqual(canceled);
    expect(await startTrigger(store, { ...held, leaseMs: 60_000 })).toEqual({
      kind: "conflict",
      state: "canceled",
    });
    expect(await finishTrigger(store, { ...held, result: "canceled" })).toMatchObject({ kind: "ok" });
    expect(await claimIds()).toEqual([]);
  });

  test.each(["claimed", "running", "waiting", "lost"] as const)(
    "the holder of one that is %s is asked to stop, at its next report",
    async (state) => {
      const held = await heldIn(state);
      expect(await cancel()).toMatchObject({ kind: "ok", state, cancelRequested: true });
      expect((await history()).at(-1)).toBe(`${state} by ada asked its holder to stop`);
      expect(await startTrigger(store, { ...held, leaseMs: 60_000 })).toMatchObject({
        cancelRequested: true,
      });
      expect(await heartbeat(store, { ...held, leaseMs: 60_000 })).toMatchObject({
        state: "running",
        cancelRequested: true,
      });
      expect(await finishTrigger(store, { ...held, result: "canceled" })).toMatchObject({
        state: "canceled",
      });
    },
  );

  test.each(["queued", "running"] as const)("the same again changes nothing (%s)", async (state) => {
    if (state === "running") await heldIn(state);
    const first = await cancel();
    const before = [await find(), await history()];
    expect(await cancelTrigger(store, { id, by: "grace" })).toEqual(first);
    expect([await find(), await history()]).toEqual(before);
  });

  test.each(["succeeded", "failed", "superseded"] as const)("one that is %s is a conflict", async (state) => {
    await setState(state);
    expect(await cancel()).toEqual({ kind: "conflict", state });
    expect(await find()).toMatchObject({ cancelRequested: false });
    expect(await history()).toEqual([]);
  });

  test("a trigger that does not exist is not found", async () => {
    expect(await cancelTrigger(store, { id: randomUUID(), by: "ada" })).toEqual({ kind: "not_found" });
  });

  test("of a cancellation and claims at once, either it is canceled or its one holder is asked to stop", async () => {
    const ids = [id];
    for (let position = 2; position <= 20; position += 1) {
      ids.push(await insertTrigger(store, { targetId, position, runType: "proposed" }));
    }
    const [claims] = await Promise.all([
      Promise.all([claimIds(), claimIds(), claimIds()]),
      ...ids.map((each) => cancelTrigger(store, { id: each, by: "ada" })),
    ]);
    const claimed = claims.flat();
    const rows = await store.sql<{ id: string; state: string; cancelRequested: boolean }[]>`
      SELECT id, state, cancel_requested FROM sluice.triggers`;
    expect(rows).toHaveLength(20);
    for (const row of rows) {
      expect(row.cancelRequested).toBe(true);
      expect(row.state).toBe(claimed.includes(row.id) ? "claimed" : "canceled");
    }
  });
});

describe("end (rule 28)", () => {
  const end = (result: (typeof RUN_RESULTS)[number], options: { message?: string; force?: boolean } = {}) =>
    endTrigger(store, { id, result, by: "ada", force: false, ...options });

  test.each(RUN_RESULTS)("a lost run is %s when a person says so, which frees its slot", async (result) => {
    const next = await insertTrigger(store, { targetId, position: 2 });
    await heldIn("lost");
    expect(await claimIds()).toEqual([]);
    const ended = { kind: "ok", state: result, cancelRequested: false, leaseExpiresAt: null };
    expect(await end(result, { message: "looked at the state file" })).toEqual(ended);
    expect(await find()).toMatchObject({ message: "looked at the state file", leaseExpiresAt: null });
    expect((await history()).at(-1)).toBe(`${result} by ada looked at the state file`);
    expect(await claimIds()).toEqual([next]);
  });

  test("who ended it is told where nothing else is", async () => {
    await heldIn("lost");
    await end("failed");
    expect(await find()).toMatchObject({ message: "Ended by ada." });
    expect((await history()).at(-1)).toBe("failed by ada");
  });

  test.each(["claimed", "running"] as const)(
    "one that is %s is left to its holder while the lease runs, unless that is forced",
    async (state) => {
      await heldIn(state);
      const before = await history();
      expect(await end("failed")).toEqual({
        kind: "still_held",
        state,
        holder: "a scheduler",
        leaseExpiresAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\S+Z$/) as string,
      });
      expect(await history()).toEqual(before);
      expect(await end("failed", { force: true, message: "it is dead" })).toMatchObject({ state: "failed" });
      expect((await history()).at(-1)).toBe("failed by ada while a scheduler held it: it is dead");
    },
  );

  test.each(["claimed", "running"] as const)(
    "one that is %s is ended once its lease expired",
    async (state) => {
      await heldIn(state);
      await letLeaseExpire();
      expect(await end("failed")).toMatchObject({ kind: "ok", state: "failed" });
    },
  );

  test("one that waits has no lease that runs", async () => {
    await heldIn("waiting");
    expect(await end("canceled")).toMatchObject({ kind: "ok", state: "canceled" });
  });

  test("afterwards its holder's finish is accepted with the same result, a conflict with another", async () => {
    const held = await heldIn("lost");
    await end("failed");
    expect(await finishTrigger(store, { ...held, result: "succeeded" })).toEqual({
      kind: "conflict",
      state: "failed",
    });
    expect(await heartbeat(store, { ...held, leaseMs: 60_000 })).toEqual({
      kind: "conflict",
      state: "failed",
    });
    expect(await finishTrigger(store, { ...held, result: "failed" })).toMatchObject({ kind: "ok" });
    expect(await finishTrigger(store, { ...held, leaseToken: randomUUID(), result: "failed" })).toMatchObject(
      {
        kind: "not_holder",
        state: "failed",
      },
    );
  });

  test("the same again changes nothing, another result is a conflict, forced or not", async () => {
    await heldIn("lost");
    const first = await end("failed", { message: "once" });
    const before = [await find(), await history()];
    expect(await end("failed", { message: "twice" })).toEqual(first);
    expect(await end("succeeded", { force: true })).toEqual({ kind: "conflict", state: "failed" });
    expect([await find(), await history()]).toEqual(before);
  });

  test.each(["blocked", "queued", "superseded"] as const)(
    "one that is %s never ran: a conflict",
    async (state) => {
      await setState(state);
      expect(await end("succeeded", { force: true })).toEqual({ kind: "conflict", state });
      expect(await history()).toEqual([]);
    },
  );

  test("a trigger that does not exist is not found", async () => {
    const nobody = { id: randomUUID(), result: "failed", by: "ada", force: true } as const;
    expect(await endTrigger(store, nobody)).toEqual({ kind: "not_found" });
  });

  test("of an end and a heartbeat at once, the run is ended or found alive, never both", async () => {
    const held = await heldIn("lost");
    const [ended, beat] = await Promise.all([end("failed"), heartbeat(store, { ...held, leaseMs: 60_000 })]);
    const { state } = (await find()) ?? {};
    expect(state).toMatch(/^(?:failed|running)$/);
    expect(ended.kind).toBe(state === "failed" ? "ok" : "still_held");
    expect(beat.kind).toBe(state === "failed" ? "conflict" : "ok");
  });
});
