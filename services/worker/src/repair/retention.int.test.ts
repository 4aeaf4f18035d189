import { randomUUID } from "node:crypto";

import { createTestDatabase, type TestDatabase } from "@sluice/embedded/test-database";
import { createLogger } from "@sluice/runtime/logger";
import { openStore, type Store } from "@sluice/store/client";
import { migrateStore } from "@sluice/store/migrate";
import { insertIntegration, insertStack } from "@sluice/store/test-fixtures";
import { insertOldDeliveries } from "@sluice/store/test-retention-fixtures";
import { afterAll, beforeAll, beforeEach, expect, inject, test } from "vitest";

import { createRetention, startRetention, type RetentionPace, type RetentionPolicy } from "./retention.ts";

const POLICY: RetentionPolicy = { rawDays: 30, decisionsDays: 90 };
const PACE: RetentionPace = { pageSize: 50, pauseMs: 0, maxMs: 60_000 };

let database: TestDatabase;
let store: Store;

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
  const integrationId = randomUUID();
  await insertIntegration(store, {
    id: integrationId,
    slug: `it-${integrationId.slice(0, 8)}`,
    webhookSecretCiphertext: "-",
  });
  const targetId = await insertStack(store, { integrationId, repository: "acme/infra", name: "network" });
  await insertOldDeliveries(store, { targetId, count: 1_000, days: 100 });
});

/** A worker's retention, and the lines that it logs. */
function aRetention({ pace = {}, signal }: { pace?: Partial<RetentionPace>; signal?: AbortSignal } = {}) {
  const lines: Record<string, unknown>[] = [];
  const logger = createLogger({
    service: "test",
    level: "info",
    format: "json",
    destination: { write: (line) => void lines.push(JSON.parse(line) as Record<string, unknown>) },
  });
  const run = createRetention({
    store,
    logger,
    policy: POLICY,
    pace: { ...PACE, ...pace },
    signal: signal ?? new AbortController().signal,
  });
  return { run, lines, logger };
}

async function countRows() {
  const [row] = await store.sql<{ deliveries: number; bodies: number; needless: number }[]>`
    SELECT (SELECT count(*)::int FROM sluice.deliveries) AS deliveries,
           (SELECT count(*)::int FROM sluice.delivery_bodies) AS bodies,
           (SELECT count(*)::int FROM sluice.delivery_bodies JOIN sluice.deliveries ON id = delivery_id
            WHERE outcome <> 'failed' AND deliveries.recorded_at < now() - interval '30 days') AS needless`;
  return row ?? { deliveries: NaN, bodies: NaN, needless: NaN };
}

test("one run deletes all that is old, page by page, and says what", async () => {
  const before = await countRows();
  const { run, lines } = aRetention();
  await run();
  const after = await countRows();
  expect(after.needless).toBe(0);
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatchObject({ msg: "retention.run", isComplete: true });
  expect(lines[0]?.["deliveries"]).toBe(before.deliveries - after.deliveries);
  expect(before.deliveries - after.deliveries).toBeGreaterThan(50);
});

test("a run forgets what requests with an Idempotency-Key were answered, after a day and not before", async () => {
  await store.sql`
    INSERT INTO sluice.idempotency_keys (owner, key, request_digest, status, body_ciphertext, created_at)
    SELECT 'bootstrap', n::text, '-', 201, '-', now() - CASE WHEN n <= 120 THEN interval '25 hours' ELSE interval '23 hours' END
    FROM generate_series(1, 130) AS n`;
  const { run, lines } = aRetention();
  await run();
  const [row] =
    await store.sql`SELECT count(*)::int AS left, min(key::int) AS first FROM sluice.idempotency_keys`;
  expect(row).toEqual({ left: 10, first: 121 });
  expect(lines[0]).toMatchObject({ answers: 120, isComplete: true });
});

test("a run that is out of time leaves the rest to the next, which goes on from there", async () => {
  const { run, lines } = aRetention({ pace: { maxMs: 1, pauseMs: 1 } });
  let runs = 0;
  for (; (await countRows()).needless > 0 && runs < 100; runs += 1) await run();
  expect(runs).toBeGreaterThan(2);
  expect(lines[0]).toMatchObject({ isComplete: false, bodies: 50 });
});

test("a run that is stopped ends after its present page, and does nothing when it is stopped before", async () => {
  const before = await countRows();
  const { logger } = aRetention();
  await startRetention({ store, logger, policy: POLICY }).stop();
  const first = await countRows();
  expect(before.needless - first.needless).toBeGreaterThan(0);
  expect(first.needless).toBeGreaterThan(0);

  const { run, lines } = aRetention({ signal: AbortSignal.abort() });
  await run();
  expect(await countRows()).toEqual(first);
  expect(lines).toEqual([]);
});

test("two workers at once delete what one would, and neither fails", async () => {
  const [one, other] = [aRetention(), aRetention()];
  await Promise.all([one.run(), other.run()]);
  await one.run();
  const after = await countRows();
  expect(after.needless).toBe(0);
  const alone = aRetention();
  await alone.run();
  expect(await countRows()).toEqual(after);
});
