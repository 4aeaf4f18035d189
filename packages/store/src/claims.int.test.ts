import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

import { createTestDatabase, type TestDatabase } from "@sluice/embedded/test-database";
import type { TriggerState } from "@sluice/domain/trigger";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, test } from "vitest";

import { claimTriggers, expireLeases, type ClaimRequest } from "./claims.ts";
import { openStore, type Store } from "./client.ts";
import { migrateStore } from "./migrate.ts";
import { insertIntegration, insertStack } from "./test-fixtures.ts";
import { insertPush, insertTrigger } from "./test-trigger-fixtures.ts";
import { withTransaction } from "./transaction.ts";
import { finishTrigger, heartbeat, startTrigger, waitTrigger } from "./trigger-reports.ts";

let database: TestDatabase;
let store: Store;
let integrationId: string;
let stackCount = 0;

beforeAll(async () => {
  database = await createTestDatabase({
    serverUrl: inject("postgresUrl"),
    migrate: migrateStore,
    key: "store",
  });
  store = openStore({ url: database.url, maxConnections: 20, applicationName: "test" });
});

afterAll(async () => {
  await store.close();
  await database.drop();
});

beforeEach(async () => {
  integrationId = randomUUID();
  await insertIntegration(store, {
    id: integrationId,
    slug: `acme-${integrationId.slice(0, 8)}`,
    webhookSecretCiphertext: "-",
  });
});

afterEach(async () => {
  await store.sql`TRUNCATE sluice.triggers, sluice.events, sluice.targets CASCADE`;
});

/** A stack with a repository of its own. */
function aStack(options: { readonly repository?: string } = {}): Promise<string> {
  stackCount += 1;
  const name = `stack-${String(stackCount)}`;
  return insertStack(store, { integrationId, repository: options.repository ?? `acme/${name}`, name });
}

function claim(request: Partial<ClaimRequest> = {}) {
  return claimTriggers(store, { limit: 100, leaseMs: 60_000, holder: "a scheduler", ...request });
}

async function claimOne(request: Partial<ClaimRequest> = {}) {
  const [claimed] = await claim({ ...request, limit: 1 });
  if (claimed === undefined) throw new Error("nothing can be claimed");
  return claimed;
}

async function claimIds(request: Partial<ClaimRequest> = {}): Promise<string[]> {
  return (await claim(request)).map(({ id }) => id);
}

async function find(id: string) {
  const [row] = await store.sql<
    { state: TriggerState; attempt: number; leaseHolder: string | null; message: string | null }[]
  >`SELECT state, attempt, lease_holder, message FROM sluice.triggers WHERE id = ${id}`;
  return row;
}

async function historyOf(id: string): Promise<(string | null)[][]> {
  const rows = await store.sql<{ state: string; actor: string; note: string | null }[]>`
    SELECT state, actor, note FROM sluice.trigger_history WHERE trigger_id = ${id} ORDER BY at, id`;
  return rows.map(({ state, actor, note }) => [state, actor, note]);
}

async function letLeaseExpire(id: string): Promise<void> {
  await store.sql`UPDATE sluice.triggers SET lease_expires_at = now() - interval '1 second' WHERE id = ${id}`;
}

describe("order (rule 29)", () => {
  test("tracked before proposed, then the oldest", async () => {
    const [a, b] = [await aStack(), await aStack()];
    const third = await insertTrigger(store, { targetId: a, position: 1, runType: "proposed" });
    const second = await insertTrigger(store, { targetId: a, position: 9 });
    const first = await insertTrigger(store, { targetId: b, position: 8 });
    const fourth = await insertTrigger(store, { targetId: b, position: 2, runType: "proposed" });
    expect(await claimIds({ limit: 3 })).toEqual([first, second, third]);
    expect(await claimIds()).toEqual([fourth]);
    expect(await claimIds()).toEqual([]);
  });

  test("of a target's tracked triggers only the first is handed out, however many are asked for", async () => {
    const targetId = await aStack();
    const ids = [];
    for (const position of [3, 1, 2]) ids.push(await insertTrigger(store, { targetId, position }));
    expect(await claimIds()).toEqual([ids[1]]);
  });

  test.each(["claimed", "running", "waiting", "lost"] as const)(
    "a tracked trigger that is %s keeps its target's slot",
    async (state) => {
      const targetId = await aStack();
      const held = await insertTrigger(store, { targetId, position: 1, state });
      await store.sql`UPDATE sluice.triggers SET lease_expires_at = now() + interval '1 hour' WHERE id = ${held}`;
      const next = await insertTrigger(store, { targetId, position: 2 });
      expect(await claimIds()).toEqual([]);
      await store.sql`UPDATE sluice.triggers SET state = 'failed' WHERE id = ${held}`;
      expect(await claimIds()).toEqual([next]);
    },
  );

  test("the slot of a target holds back neither its proposed triggers nor other targets", async () => {
    const [a, b] = [await aStack(), await aStack()];
    await insertTrigger(store, { targetId: a, position: 1, state: "running" });
    await insertTrigger(store, { targetId: a, position: 2 });
    const proposed = await insertTrigger(store, { targetId: a, position: 3, runType: "proposed" });
    const other = await insertTrigger(store, { targetId: b, position: 4 });
    expect(await claimIds()).toEqual([other, proposed]);
  });

  test("a blocked tracked trigger holds back the later ones of its target", async () => {
    const targetId = await aStack();
    await insertTrigger(store, { targetId, position: 1, state: "blocked" });
    await insertTrigger(store, { targetId, position: 2 });
    expect(await claimIds()).toEqual([]);
  });

  test("a commit is not handed out while an earlier push of the tracked branch is undecided", async () => {
    const targetId = await aStack();
    const eventId = await insertPush(store, { targetId, sequence: 1, isDecided: false });
    const later = await insertTrigger(store, { targetId, position: 2 });
    expect(await claimIds()).toEqual([]);
    await store.sql`UPDATE sluice.events SET decided_at = now() WHERE id = ${eventId}`;
    expect(await claimIds()).toEqual([later]);
  });

  test("undecided pushes that come later, of other branches or of other repositories hold back nothing", async () => {
    const [targetId, other] = [await aStack(), await aStack()];
    await insertPush(store, { targetId, sequence: 9, isDecided: false });
    await insertPush(store, { targetId, sequence: 1, refName: "feature/x", isDecided: false });
    await insertPush(store, { targetId: other, sequence: 2, isDecided: false });
    const id = await insertTrigger(store, { targetId, position: 5 });
    expect(await claimIds()).toEqual([id]);
  });
});

describe("filters", () => {
  test("kind, run type, labels and space each narrow what is handed out", async () => {
    const [stack, module] = [await aStack(), await aStack()];
    await store.sql`UPDATE sluice.targets SET kind = 'module', labels = '["gpu", "eu"]' WHERE id = ${module}`;
    await store.sql`
      WITH space AS (
        INSERT INTO sluice.spaces (name, parent_id) SELECT 'prod', id FROM sluice.spaces WHERE name = 'root' RETURNING id
      ) UPDATE sluice.targets SET space_id = space.id FROM space WHERE targets.id = ${module}`;
    const inStack = await insertTrigger(store, { targetId: stack, position: 1 });
    const inModule = await insertTrigger(store, { targetId: module, position: 2, runType: "proposed" });
    const none: Partial<ClaimRequest>[] = [
      { kinds: ["stack"], runTypes: ["proposed"] },
      { labels: ["gpu", "us"] },
      { spaces: ["nowhere"] },
      { kinds: [] },
      { runTypes: [] },
    ];
    for (const request of none) expect(await claimIds(request)).toEqual([]);
    const narrow: Partial<ClaimRequest> = {
      kinds: ["module"],
      runTypes: ["proposed"],
      labels: ["eu", "gpu"],
      spaces: ["prod", "x"],
    };
    expect(await claimIds(narrow)).toEqual([inModule]);
    expect(await claimIds({ spaces: ["root"] })).toEqual([inStack]);
  });

  test("nothing of a target that is disabled or removed is handed out", async () => {
    const [off, gone] = [await aStack(), await aStack()];
    await store.sql`UPDATE sluice.targets SET enabled = false WHERE id = ${off}`;
    await store.sql`UPDATE sluice.targets SET removed_at = now() WHERE id = ${gone}`;
    for (const targetId of [off, gone]) {
      await insertTrigger(store, { targetId, position: 1 });
      await insertTrigger(store, { targetId, position: 2, runType: "proposed" });
    }
    expect(await claimIds()).toEqual([]);
  });
});

describe("leases (rule 28)", () => {
  test("a claim whose lease expired is handed out again with another token, and its first holder is refused", async () => {
    const targetId = await aStack();
    const id = await insertTrigger(store, { targetId, position: 1 });
    const first = await claimOne({ holder: "first" });
    expect(await claimIds()).toEqual([]);
    await letLeaseExpire(id);
    const second = await claimOne({ holder: "second" });
    expect(second.id).toBe(id);
    expect(second.leaseToken).not.toBe(first.leaseToken);
    expect(await find(id)).toMatchObject({ state: "claimed", attempt: 2, leaseHolder: "second" });
    const refused = { kind: "not_holder", state: "claimed", holder: "second" };
    expect(await startTrigger(store, { ...first, leaseMs: 1_000 })).toMatchObject(refused);
    expect(await heartbeat(store, { ...first, leaseMs: 1_000 })).toMatchObject(refused);
    expect(await finishTrigger(store, { ...first, result: "failed" })).toMatchObject(refused);
    expect(await startTrigger(store, { ...second, leaseMs: 1_000 })).toMatchObject({ kind: "ok" });
  });

  test("a tracked run whose lease expired is lost, keeps the slot, and is running again when its holder reports", async () => {
    const targetId = await aStack();
    await insertTrigger(store, { targetId, position: 1 });
    await insertTrigger(store, { targetId, position: 2 });
    const held = await claimOne();
    await startTrigger(store, { ...held, leaseMs: 60_000 });
    expect(await expireLeases(store)).toEqual([]);
    await letLeaseExpire(held.id);
    expect(await expireLeases(store)).toEqual([
      { id: held.id, targetId, state: "lost", holder: "a scheduler" },
    ]);
    expect(await claimIds()).toEqual([]);
    expect(await heartbeat(store, { ...held, leaseMs: 60_000 })).toMatchObject({
      kind: "ok",
      state: "running",
    });
    expect(await expireLeases(store)).toEqual([]);
    expect((await historyOf(held.id)).map(([state]) => state)).toEqual([
      "claimed",
      "running",
      "lost",
      "running",
    ]);
  });

  test("a lost run may still be finished by its holder, which frees the slot", async () => {
    const targetId = await aStack();
    await insertTrigger(store, { targetId, position: 1 });
    const next = await insertTrigger(store, { targetId, position: 2 });
    const held = await claimOne();
    await startTrigger(store, { ...held, leaseMs: 60_000 });
    await letLeaseExpire(held.id);
    await expireLeases(store);
    expect(await finishTrigger(store, { ...held, result: "succeeded" })).toMatchObject({ kind: "ok" });
    expect(await claimIds()).toEqual([next]);
  });

  test("a run that waits is not taken back, and keeps its target's slot", async () => {
    const targetId = await aStack();
    await insertTrigger(store, { targetId, position: 1 });
    await insertTrigger(store, { targetId, position: 2 });
    await insertTrigger(store, { targetId, position: 3, runType: "proposed" });
    const claims = await claim();
    expect(claims).toHaveLength(2);
    for (const held of claims) {
      await startTrigger(store, { ...held, leaseMs: 60_000 });
      await letLeaseExpire(held.id);
      await waitTrigger(store, held);
    }
    expect(await expireLeases(store)).toEqual([]);
    expect(await claimIds()).toEqual([]);
    for (const { id } of claims) expect(await find(id)).toMatchObject({ state: "waiting" });
  });

  test("a proposed run whose lease expired is handed out three times in all, then it is failed and says so", async () => {
    const id = await insertTrigger(store, { targetId: await aStack(), position: 1, runType: "proposed" });
    for (const state of ["queued", "queued", "failed"]) {
      const held = await claimOne();
      await startTrigger(store, { ...held, leaseMs: 60_000 });
      await letLeaseExpire(id);
      expect(await expireLeases(store)).toMatchObject([{ id, state }]);
      expect(await heartbeat(store, { ...held, leaseMs: 60_000 })).toMatchObject({
        kind: "not_holder",
        state,
        holder: null,
      });
    }
    expect((await find(id))?.message).toContain("3 attempts");
    expect((await historyOf(id)).at(-1)).toEqual(["failed", "worker", "the lease of a scheduler expired"]);
    expect(await claimIds()).toEqual([]);
  });

  test("what was to be cancelled and lost its holder is canceled, and not handed out again", async () => {
    const running = await insertTrigger(store, {
      targetId: await aStack(),
      position: 1,
      runType: "proposed",
    });
    const claimed = await insertTrigger(store, { targetId: await aStack(), position: 2 });
    const started = (await claim()).find(({ id }) => id === running)!;
    await startTrigger(store, { ...started, leaseMs: 60_000 });
    await store.sql`UPDATE sluice.triggers SET cancel_requested = true`;
    expect(await heartbeat(store, { ...started, leaseMs: 1 })).toMatchObject({ cancelRequested: true });
    for (const id of [running, claimed]) await letLeaseExpire(id);
    expect(await claimIds()).toEqual([]);
    const ended = await expireLeases(store);
    expect(ended.map(({ state }) => state)).toEqual(["canceled", "canceled"]);
  });

  test("an unstarted claim makes way for a trigger that goes before it and came later", async () => {
    const targetId = await aStack();
    const later = await insertTrigger(store, { targetId, position: 2 });
    await claimOne();
    const earlier = await insertTrigger(store, { targetId, position: 1 });
    await letLeaseExpire(later);
    expect(await claimIds()).toEqual([]);
    expect(await expireLeases(store)).toMatchObject([{ id: later, state: "queued" }]);
    expect(await claimIds()).toEqual([earlier]);
  });

  test("more leases than one statement takes are all taken back", async () => {
    const targetId = await aStack();
    for (let position = 1; position <= 130; position += 1) {
      await insertTrigger(store, { targetId, position, runType: "proposed", state: "running" });
    }
    await store.sql`UPDATE sluice.triggers SET attempt = 1, lease_expires_at = now() - interval '1 second'`;
    expect(await expireLeases(store)).toHaveLength(130);
  });
});

describe("many claimers at once", () => {
  test("each trigger is handed out once, per target in order, never two tracked of a target in flight (rule 29)", async () => {
    const stacks = await Promise.all(Array.from({ length: 12 }, () => aStack()));
    const targetOf = new Map<string, string>();
    for (const targetId of stacks) {
      for (let position = 1; position <= 10; position += 1) {
        targetOf.set(await insertTrigger(store, { targetId, position }), targetId);
        await insertTrigger(store, { targetId, position: position + 100, runType: "proposed" });
      }
    }
    const handedOut: string[] = [];
    const inFlight = new Set<string>();
    const claimer = async (name: string): Promise<void> => {
      for (let empty = 0; empty < 5;) {
        const claims = await claim({ limit: 3, holder: name });
        if (claims.length === 0) {
          empty += 1;
          await sleep(5);
          continue;
        }
        for (const held of claims) {
          handedOut.push(held.id);
          const targetId = targetOf.get(held.id);
          if (targetId === undefined) continue;
          expect(inFlight.has(targetId)).toBe(false);
          inFlight.add(targetId);
        }
        for (const held of claims) {
          expect(await startTrigger(store, { ...held, leaseMs: 60_000 })).toMatchObject({ kind: "ok" });
          inFlight.delete(targetOf.get(held.id) ?? "");
          expect(await finishTrigger(store, { ...held, result: "succeeded" })).toMatchObject({ kind: "ok" });
        }
      }
    };
    await Promise.all(Array.from({ length: 10 }, (_, place) => claimer(`claimer ${String(place)}`)));

    expect(handedOut).toHaveLength(240);
    expect(new Set(handedOut).size).toBe(240);
    const order = await store.sql<{ targetId: string; positions: number[] }[]>`
      SELECT target_id, array_agg(position::int ORDER BY trigger_history.id) AS positions
      FROM sluice.trigger_history JOIN sluice.triggers ON triggers.id = trigger_id
      WHERE trigger_history.state = 'claimed' AND run_type = 'tracked' GROUP BY target_id`;
    expect(order).toHaveLength(12);
    for (const { positions } of order) expect(positions).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  });

  test("a claimer that sees too little is stopped by the slot's index, looks again, and takes nothing (rule 29)", async () => {
    const targetId = await aStack();
    await insertTrigger(store, { targetId, position: 2 });
    let outcome: Promise<string[]> | undefined;
    await withTransaction(store, async (tx) => {
      // Unseen by the claimer until this transaction commits.
      await insertTrigger(tx, { targetId, position: 1, state: "running" });
      outcome = claimIds();
      await waitUntilBlocked();
    });
    expect(await outcome).toEqual([]);
  });
});

test("a claim reads a handful of rows by index, however many wait", async () => {
  const [first, second] = [await aStack(), await aStack()];
  const eventId = await insertPush(store, { targetId: first, sequence: 0 });
  for (const runType of ["tracked", "proposed"]) {
    await store.sql`
      INSERT INTO sluice.triggers
        (target_id, repository_id, source_repository_id, event_id, run_type, commit_sha, ref_name, branch_arrival, position,
         changes)
      SELECT targets.id, repository_id, repository_id, ${eventId}, ${runType}, md5(place::text) || '00000000', 'main', place, place, '{}'
      FROM sluice.targets, generate_series(1, 20000) AS place WHERE targets.id IN (${first}, ${second})`;
  }
  await store.sql`UPDATE sluice.triggers SET state = 'running' WHERE target_id = ${first} AND position = 1`;
  await store.sql`ANALYZE sluice.triggers`;
  const reads = await withTransaction(store, async (tx) => {
    await claimTriggers(tx, { limit: 5, leaseMs: 60_000, holder: "a scheduler" });
    const [row] = await tx.sql<{ scanned: number; fetched: number }[]>`
      SELECT seq_tup_read AS scanned, idx_tup_fetch AS fetched
      FROM pg_stat_xact_user_tables WHERE schemaname = 'sluice' AND relname = 'triggers'`;
    return row;
  });
  expect(reads?.scanned).toBe(0);
  expect(reads?.fetched).toBeLessThan(100);
});

async function waitUntilBlocked(): Promise<void> {
  for (;;) {
    const [row] = await store.sql<{ count: number }[]>`
      SELECT count(*) FROM pg_stat_activity
      WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%RECURSIVE head%'`;
    if ((row?.count ?? 0) > 0) return;
    await sleep(5);
  }
}
