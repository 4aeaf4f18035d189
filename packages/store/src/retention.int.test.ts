import { randomUUID } from "node:crypto";

import { createTestDatabase, type TestDatabase } from "@sluice/embedded/test-database";
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from "vitest";

import { claimTriggers } from "./claims.ts";
import { openStore, type Database, type Store } from "./client.ts";
import { migrateStore } from "./migrate.ts";
import {
  beginRetention,
  deleteOldBodies,
  deleteOldDeliveries,
  RETENTION_START,
  type RetentionPage,
  type RetentionPlace,
} from "./retention.ts";
import { insertIntegration, insertStack } from "./test-fixtures.ts";
import { insertOldDeliveries } from "./test-retention-fixtures.ts";
import { insertPush, insertTrigger } from "./test-trigger-fixtures.ts";
import { withTransaction } from "./transaction.ts";

const RAW_DAYS = 30;
const DECISIONS_DAYS = 90;
/** A branch that is gone: its pushes tell nothing any more. */
const GONE = "feature/gone";

let database: TestDatabase;
let store: Store;
let integrationId: string;
let targetId: string;
let count = 0;

beforeAll(async () => {
  database = await createTestDatabase({
    serverUrl: inject("postgresUrl"),
    migrate: migrateStore,
    key: "store",
  });
  store = openStore({ url: database.url, maxConnections: 8, applicationName: "test" });
});

afterAll(async () => {
  await store.close();
  await database.drop();
});

beforeEach(async () => {
  await store.sql`TRUNCATE sluice.deliveries, sluice.targets, sluice.branches CASCADE`;
  integrationId = randomUUID();
  await insertIntegration(store, {
    id: integrationId,
    slug: `acme-${integrationId.slice(0, 8)}`,
    webhookSecretCiphertext: "-",
  });
  targetId = await insertStack(store, { integrationId, repository: "acme/infra", name: "network" });
  await aBranch(GONE, null);
});

async function aBranch(name: string, headSha: string | null, chain = "whole"): Promise<void> {
  await store.sql`
    INSERT INTO sluice.branches (repository_id, name, head_sha, arrival_sequence, chain)
    SELECT repository_id, ${name}, ${headSha}, 1, ${chain} FROM sluice.targets WHERE id = ${targetId}`;
}

/** Makes the delivery of an event, and what came of it, so many days old. */
async function age(eventId: string, days: number): Promise<void> {
  const then = store.sql`now() - ${days} * interval '1 day'`;
  const event = store.sql`(SELECT delivery_id FROM sluice.events WHERE id = ${eventId})`;
  await store.sql`UPDATE sluice.deliveries SET recorded_at = ${then} WHERE id = ${event}`;
  await store.sql`UPDATE sluice.events SET recorded_at = ${then} WHERE id = ${eventId}`;
  await store.sql`UPDATE sluice.decisions SET decided_at = ${then} WHERE event_id = ${eventId}`;
  await store.sql`UPDATE sluice.triggers SET updated_at = ${then} WHERE event_id = ${eventId}`;
}

/** A push that was decided, old enough to go unless something needs it. @returns the event. */
async function anOldPush(push: Partial<Parameters<typeof insertPush>[1]> = {}): Promise<string> {
  count += 1;
  const eventId = await insertPush(store, { targetId, sequence: count, refName: GONE, ...push });
  await age(eventId, DECISIONS_DAYS + 1);
  return eventId;
}

/** As `anOldPush`, with a trigger that has ended. @returns the event. */
async function anOldTrigger(
  trigger: Partial<Parameters<typeof insertTrigger>[1]> & { attempt?: number } = {},
): Promise<string> {
  count += 1;
  const { attempt = 0, ...rest } = trigger;
  const id = await insertTrigger(store, {
    targetId,
    position: count,
    refName: GONE,
    state: "succeeded",
    ...rest,
  });
  await store.sql`INSERT INTO sluice.trigger_history (trigger_id, state, actor) VALUES (${id}, 'queued', 'worker')`;
  await store.sql`UPDATE sluice.triggers SET attempt = ${attempt} WHERE id = ${id}`;
  const [row] = await store.sql<{ eventId: string }[]>`SELECT event_id FROM sluice.triggers WHERE id = ${id}`;
  const eventId = row?.eventId ?? "";
  await age(eventId, DECISIONS_DAYS + 1);
  return eventId;
}

async function aDelivery(days: number, outcome: "no_events" | "failed" = "no_events"): Promise<string> {
  const id = randomUUID();
  await store.sql`
    INSERT INTO sluice.deliveries
      (id, integration_id, request_id, event_key, attempt, secret_version, received_at, recorded_at, outcome, failure, body_bytes)
    VALUES (${id}, ${integrationId}, ${id}, 'repo:push', 1, 'current', now(), now() - ${days} * interval '1 day', ${outcome},
            CASE WHEN ${outcome === "failed"} THEN '{"code": "not_json", "path": "", "message": "is not JSON"}'::jsonb END, 2)`;
  await store.sql`
    INSERT INTO sluice.delivery_bodies (delivery_id, headers, encoding, body, recorded_at)
    SELECT id, '{}', 'identity', '\\x7b7d', recorded_at FROM sluice.deliveries WHERE id = ${id}`;
  return id;
}

/** Everything that is as old, a page after the other. @returns how many deliveries went. */
async function deleteAllOld(db: Store = store, limit = 1_000): Promise<number> {
  let [deliveries, after]: [number, RetentionPlace | null] = [0, RETENTION_START];
  while (after !== null) {
    const page: RetentionPage = { olderThanDays: DECISIONS_DAYS, after, limit };
    const batch = await withTransaction(db, async (tx) => {
      expect(await beginRetention(tx)).toBe(true);
      return deleteOldDeliveries(tx, page);
    });
    deliveries += batch.deleted.deliveries;
    after = batch.next;
  }
  return deliveries;
}

async function deleteAllOldBodies(db: Store = store, limit = 1_000): Promise<number> {
  let [bodies, after]: [number, RetentionPlace | null] = [0, RETENTION_START];
  while (after !== null) {
    const page: RetentionPage = { olderThanDays: RAW_DAYS, after, limit };
    const batch = await withTransaction(db, async (tx) => {
      expect(await beginRetention(tx)).toBe(true);
      return deleteOldBodies(tx, page);
    });
    bodies += batch.deleted.bodies;
    after = batch.next;
  }
  return bodies;
}

/** Ids of the events that are left, of those given. */
async function left(...eventIds: readonly string[]): Promise<string[]> {
  const rows = await store.sql<{ id: string }[]>`
    SELECT events.id FROM unnest(${eventIds}::uuid[]) WITH ORDINALITY AS given (id, place)
    JOIN sluice.events USING (id) ORDER BY place`;
  return rows.map(({ id }) => id);
}

async function countRows(): Promise<Record<string, number> | undefined> {
  const [row] = await store.sql<Record<string, number>[]>`
    SELECT (SELECT count(*)::int FROM sluice.deliveries) AS deliveries,
           (SELECT count(*)::int FROM sluice.delivery_bodies) AS bodies,
           (SELECT count(*)::int FROM sluice.events) AS events,
           (SELECT count(*)::int FROM sluice.decisions) AS decisions,
           (SELECT count(*)::int FROM sluice.triggers) AS triggers,
           (SELECT count(*)::int FROM sluice.trigger_history) AS history`;
  return row;
}

const NOTHING = { deliveries: 0, bodies: 0, events: 0, decisions: 0, triggers: 0, history: 0 };

describe("bodies", () => {
  const bodiesLeft = async () =>
    (await store.sql<{ id: string }[]>`SELECT delivery_id AS id FROM sluice.delivery_bodies`).map(
      ({ id }) => id,
    );

  test("go after their days, and their deliveries stay", async () => {
    await aDelivery(RAW_DAYS + 1);
    const young = await aDelivery(RAW_DAYS - 1);
    expect(await deleteAllOldBodies()).toBe(1);
    expect(await bodiesLeft()).toEqual([young]);
    expect(await countRows()).toMatchObject({ deliveries: 2 });
  });

  test("stay with a delivery that could not be read until that goes", async () => {
    const failed = await aDelivery(RAW_DAYS + 1, "failed");
    await aDelivery(DECISIONS_DAYS + 1, "failed");
    expect(await deleteAllOldBodies()).toBe(0);
    expect(await deleteAllOld()).toBe(1);
    expect(await bodiesLeft()).toEqual([failed]);
  });

  test("that were recorded at the same instant are each looked at once, whatever the page", async () => {
    for (let made = 0; made < 7; made += 1)
      await aDelivery(RAW_DAYS + 1, made % 3 === 0 ? "failed" : "no_events");
    await store.sql`UPDATE sluice.delivery_bodies SET recorded_at = now() - ${RAW_DAYS + 1} * interval '1 day'`;
    expect(await deleteAllOldBodies(store, 2)).toBe(4);
    expect(await countRows()).toMatchObject({ bodies: 3 });
  });
});

describe("deliveries", () => {
  test("go after their days with everything that came of them", async () => {
    await anOldTrigger({ runType: "proposed" });
    await anOldPush();
    await aDelivery(DECISIONS_DAYS + 1);
    expect(await deleteAllOld()).toBe(3);
    expect(await countRows()).toEqual(NOTHING);
  });

  test("stay until then", async () => {
    const eventId = await anOldTrigger({ runType: "proposed" });
    await age(eventId, DECISIONS_DAYS - 1);
    await aDelivery(DECISIONS_DAYS - 1);
    expect(await deleteAllOld()).toBe(0);
  });

  test("go in pages, whatever stays between them", async () => {
    for (let made = 0; made < 9; made += 1) await anOldPush({ isDecided: made % 2 === 0 });
    await store.sql`UPDATE sluice.deliveries SET recorded_at = now() - ${DECISIONS_DAYS + 1} * interval '1 day'`;
    expect(await deleteAllOld(store, 2)).toBe(5);
    expect(await countRows()).toMatchObject({ deliveries: 4, events: 4 });
  });

  test("stay whole when one of their events is needed", async () => {
    const needed = await anOldPush({ isDecided: false });
    const other = await anOldTrigger({ runType: "proposed" });
    await store.sql`
      UPDATE sluice.events SET index = 1, delivery_id = (SELECT delivery_id FROM sluice.events WHERE id = ${needed})
      WHERE id = ${other}`;
    await deleteAllOld();
    expect(await left(needed, other)).toEqual([needed, other]);
    expect(await countRows()).toMatchObject({ deliveries: 1, decisions: 1, triggers: 1, history: 1 });
  });

  test("stay while an event waits for its decisions", async () => {
    const waiting = await anOldPush({ isDecided: false });
    await deleteAllOld();
    expect(await left(waiting)).toEqual([waiting]);
  });

  test("stay while a person has not decided, and as long after that as others", async () => {
    const [held, settled] = [await anOldPush(), await anOldPush()];
    await store.sql`
      INSERT INTO sluice.decisions (event_id, target_id, outcome, run_type, reason, evidence, decided_at)
      VALUES (${held}, ${targetId}, 'hold', 'proposed', 'triggered', '{}', now() - interval '200 days'),
             (${settled}, ${targetId}, 'ignore', null, 'stale', '{}', now())`;
    await deleteAllOld();
    expect(await left(held, settled)).toEqual([held, settled]);
    await age(settled, DECISIONS_DAYS + 1);
    await deleteAllOld();
    expect(await left(held, settled)).toEqual([held]);
  });
});

describe("triggers", () => {
  test.each(["blocked", "queued", "claimed", "running", "waiting", "lost"] as const)(
    "that are %s stay, however old",
    async (state) => {
      const open = await anOldTrigger({ runType: "proposed", state });
      await deleteAllOld();
      expect(await left(open)).toEqual([open]);
    },
  );

  test.each(["succeeded", "failed", "canceled", "superseded"] as const)(
    "that are %s stay until that is as old",
    async (state) => {
      const ended = await anOldTrigger({ runType: "proposed", state });
      await store.sql`UPDATE sluice.triggers SET updated_at = now() - interval '1 day' WHERE event_id = ${ended}`;
      await deleteAllOld();
      expect(await left(ended)).toEqual([ended]);
      await age(ended, DECISIONS_DAYS + 1);
      await deleteAllOld();
      expect(await left(ended)).toEqual([]);
    },
  );

  test("of the newest tracked commit of a target stay: the next tells what was tracked before", async () => {
    const older = await anOldTrigger({ attempt: 1 });
    const newest = await anOldTrigger({ attempt: 1 });
    await anOldTrigger({ runType: "proposed" });
    await deleteAllOld();
    expect(await left(older, newest)).toEqual([newest]);
  });

  test("tracked before one that has not ended stay", async () => {
    const [older, previous] = [await anOldTrigger({ attempt: 1 }), await anOldTrigger({ attempt: 1 })];
    const waiting = await anOldTrigger({ state: "waiting", attempt: 1 });
    const newest = await anOldTrigger({ attempt: 1 });
    await deleteAllOld();
    expect(await left(older, previous, waiting, newest)).toEqual([previous, waiting, newest]);
  });

  test("of the last tracked commit that was handed out stay: an older one that was held is stale by it", async () => {
    const handedOut = await anOldTrigger({ attempt: 1 });
    const [canceled, newest] = [
      await anOldTrigger({ state: "canceled" }),
      await anOldTrigger({ state: "superseded" }),
    ];
    await deleteAllOld();
    expect(await left(handedOut, canceled, newest)).toEqual([handedOut, newest]);
  });
});

describe("pushes of a branch", () => {
  const push35 = async (refName: string): Promise<string[]> => {
    const ids: string[] = [];
    for (let made = 0; made < 35; made += 1) ids.push(await anOldPush({ refName }));
    return ids;
  };

  test("that is there: the latest stay, by which late ones are placed", async () => {
    await aBranch("main", "a".repeat(40));
    const [main, unknown] = [await push35("main"), await push35("not/recorded")];
    await deleteAllOld();
    expect(await left(...main)).toEqual(main.slice(5));
    expect(await left(...unknown)).toEqual(unknown.slice(5));
  });

  test("that is gone: none stay, unless it is not sure", async () => {
    await aBranch("feature/unsure", null, "unsure");
    const [gone, unsure] = [await push35(GONE), await push35("feature/unsure")];
    await deleteAllOld();
    expect(await left(...gone)).toEqual([]);
    expect(await left(...unsure)).toEqual(unsure.slice(5));
  });

  test("of tags: none stay", async () => {
    const tag = await anOldPush({ refName: "v1" });
    await store.sql`UPDATE sluice.events SET ref_kind = 'tag' WHERE id = ${tag}`;
    await deleteAllOld();
    expect(await left(tag)).toEqual([]);
  });
});

describe("beside others", () => {
  test("one transaction deletes at a time, and the next one when it has ended, also by a failure", async () => {
    const cutOff = withTransaction(store, async (tx) => {
      expect(await beginRetention(tx)).toBe(true);
      expect(await withTransaction(store, beginRetention)).toBe(false);
      throw new Error("cut off");
    });
    await expect(cutOff).rejects.toThrow("cut off");
    expect(await withTransaction(store, beginRetention)).toBe(true);
  });

  test("a transaction that is cut off leaves everything", async () => {
    await anOldTrigger({ runType: "proposed" });
    const before = await countRows();
    const cutOff = withTransaction(store, async (tx) => {
      await beginRetention(tx);
      const page = { olderThanDays: DECISIONS_DAYS, after: RETENTION_START, limit: 10 };
      expect((await deleteOldDeliveries(tx, page)).deleted).toMatchObject({ deliveries: 1, triggers: 1 });
      throw new Error("cut off");
    });
    await expect(cutOff).rejects.toThrow("cut off");
    expect(await countRows()).toEqual(before);
  });

  test("recording and claiming wait for nothing that is being deleted or looked at", async () => {
    await aBranch("main", "a".repeat(40));
    await anOldTrigger({ refName: "main", attempt: 1 });
    const gone = await anOldTrigger({ attempt: 1 });
    await anOldTrigger({ refName: "main", attempt: 1 });
    const queued = await anOldTrigger({ refName: "main", state: "queued" });
    const failsRatherThanWaits = (tx: Database) => tx.sql`SET LOCAL lock_timeout = '1s'`;

    await withTransaction(store, async (deleting) => {
      await beginRetention(deleting);
      const page = { olderThanDays: DECISIONS_DAYS, after: RETENTION_START, limit: 10 };
      expect((await deleteOldDeliveries(deleting, page)).deleted.deliveries).toBe(1);
      const claimed = await withTransaction(store, async (tx) => {
        await failsRatherThanWaits(tx);
        await tx.sql`SELECT FROM sluice.repositories FOR NO KEY UPDATE`;
        await insertTrigger(tx, { targetId, position: 1_000_000, refName: "main" });
        await tx.sql`UPDATE sluice.branches SET updated_at = now()`;
        return claimTriggers(tx, { limit: 10, leaseMs: 60_000, holder: "a scheduler" });
      });
      expect(claimed).toHaveLength(1);
    });
    expect(await left(gone, queued)).toEqual([queued]);
  });
});

describe("on tables of 20,000 deliveries", () => {
  const HOT =
    "deliveries delivery_bodies events decisions triggers trigger_history branches pull_requests commit_pull_requests commit_links";
  let large: TestDatabase;
  /** Reads nothing but what Postgres counts. */
  let watcher: Store;

  beforeAll(async () => {
    large = await createTestDatabase({
      serverUrl: inject("postgresUrl"),
      migrate: migrateStore,
      key: "store",
    });
    watcher = openStore({ url: large.url, maxConnections: 1, applicationName: "watcher" });
  });

  afterAll(async () => {
    await watcher.close();
    await large.drop();
  });

  /**
   * Works on connections of its own, to their ends: a connection tells up to ten seconds late what it has read, but for
   * certain when it goes. That is also why nobody else is connected to this database.
   */
  async function onItsOwn(work: (db: Store) => Promise<unknown>): Promise<void> {
    const own = openStore({ url: large.url, maxConnections: 2, applicationName: "counted" });
    await work(own);
    await own.close();
    for (let open = true; open;) {
      const rows = await watcher.sql`SELECT FROM pg_stat_activity WHERE application_name = 'counted'`;
      open = rows.length > 0;
    }
  }

  /** @returns what was read of the hot tables, as Postgres counts. */
  async function readBy(work: (db: Store) => Promise<unknown>) {
    const before = await readings();
    await onItsOwn(work);
    const after = await readings();
    return { scans: after.scans - before.scans, entries: after.entries - before.entries };
  }

  async function readings() {
    const [row] = await watcher.sql<{ scans: number; entries: number }[]>`
      SELECT (SELECT sum(seq_scan) FROM pg_stat_user_tables WHERE relname = ANY(string_to_array(${HOT}, ' ')))::int AS scans,
             (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes WHERE relname = ANY(string_to_array(${HOT}, ' ')))::int AS entries`;
    return row ?? { scans: NaN, entries: NaN };
  }

  test("no statement, and no foreign key's check, scans a table; a second run reads little more than what stays", async () => {
    await onItsOwn(async (db) => {
      await insertIntegration(db, { id: integrationId, slug: "acme", webhookSecretCiphertext: "-" });
      const target = { integrationId, repository: "acme/infra", name: "network" };
      await insertOldDeliveries(db, { targetId: await insertStack(db, target), count: 20_000, days: 120 });
      await db.sql`ANALYZE`;
    });
    const first = await readBy(async (db) => {
      expect(await deleteAllOldBodies(db, 500)).toBeGreaterThan(10_000);
      expect(await deleteAllOld(db, 500)).toBeGreaterThan(4_000);
    });
    expect(first.scans).toBe(0);
    // As autovacuum does.
    await onItsOwn((db) => db.sql`VACUUM`);

    const second = await readBy(async (db) => {
      expect(await deleteAllOldBodies(db, 500)).toBe(0);
      expect(await deleteAllOld(db, 500)).toBe(0);
    });
    expect(second.scans).toBe(0);
    expect(second.entries).toBeLessThan(1_000);
  });
});
