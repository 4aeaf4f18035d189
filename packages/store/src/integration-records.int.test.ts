import { randomUUID } from "node:crypto";

import { createTestDatabase, type TestDatabase } from "@sluice/embedded/test-database";
import { afterAll, beforeAll, expect, inject, test } from "vitest";

import { openStore, type Store } from "./client.ts";
import { findLastVerified } from "./integration-records.ts";
import { migrateStore } from "./migrate.ts";
import { insertIntegration } from "./test-fixtures.ts";

let database: TestDatabase;
let store: Store;

beforeAll(async () => {
  const serverUrl = inject("postgresUrl");
  database = await createTestDatabase({ serverUrl, key: "store", migrate: migrateStore });
  store = openStore({ url: database.url, maxConnections: 2, applicationName: "test" });
});

afterAll(async () => {
  await store.close();
  await database.drop();
});

async function anIntegration(): Promise<string> {
  const id = randomUUID();
  await insertIntegration(store, { id, slug: `it-${id}`, webhookSecretCiphertext: "-" });
  return id;
}

/** Deliveries of the seconds from `from` on, the last one of which is the latest. */
async function deliver(
  integrationId: string,
  { count = 1, from = 0, source = "webhook", secret = "current" },
): Promise<void> {
  await store.sql`
    INSERT INTO sluice.deliveries
      (id, integration_id, request_id, event_key, attempt, secret_version, received_at, recorded_at, outcome, body_bytes,
       source)
    SELECT uuidv7(), ${integrationId}::uuid, uuidv7()::text, 'repo:push', 1, ${secret}, at, at, 'no_events', 2, ${source}
    FROM generate_series(${from}::int, ${from + count - 1}::int) AS n,
         LATERAL (SELECT '2026-01-01Z'::timestamptz + n * interval '1 second' AS at) AS time`;
}

test("the last webhook of an integration is found among those of others, not what a sweep told", async () => {
  const [mine, other] = [await anIntegration(), await anIntegration()];
  expect(await findLastVerified(store, mine)).toBeNull();
  await deliver(mine, { secret: "previous", count: 3 });
  await deliver(mine, { source: "sweep", from: 10 });
  await deliver(other, { from: 20 });
  expect(await findLastVerified(store, mine)).toMatchObject({
    receivedAt: "2026-01-01T00:00:02.000Z",
    verifiedBy: "previous",
  });
});

test("it is found by its index, whatever the number of deliveries", async () => {
  const mine = await anIntegration();
  await deliver(mine, { count: 2_000 });
  await deliver(await anIntegration(), { count: 2_000, from: 5_000 });
  await store.sql`VACUUM ANALYZE sluice.deliveries`;
  const scansBefore = await countScans();
  expect(await findLastVerified(store, mine)).toMatchObject({ receivedAt: "2026-01-01T00:33:19.000Z" });
  expect(await countScans()).toBe(scansBefore);
  // The count would have told.
  await store.sql`SELECT sum(body_bytes) FROM sluice.deliveries`;
  expect(await countScans()).not.toBe(scansBefore);
});

/** How often the table was scanned from its beginning to its end. */
async function countScans(): Promise<unknown> {
  await store.sql`SELECT pg_stat_force_next_flush()`;
  const [row] = await store.sql`
    SELECT seq_scan FROM pg_stat_all_tables WHERE relid = 'sluice.deliveries'::regclass`;
  return row?.["seqScan"];
}
