import { randomUUID } from "node:crypto";

import { createTestDatabase, type TestDatabase } from "@sluice/embedded/test-database";
import { afterAll, beforeAll, beforeEach, expect, inject, test } from "vitest";

import { blockCalls, learnCallLimit, listRemainingCalls, takeCall } from "./call-budget.ts";
import { openStore, type Store } from "./client.ts";
import { migrateStore } from "./migrate.ts";
import { insertIntegration } from "./test-fixtures.ts";

let database: TestDatabase;
let store: Store;
let id: string;

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
  id = randomUUID();
  await insertIntegration(store, { id, slug: `budget-${id}`, webhookSecretCiphertext: "-" });
});

const allow = (callsPerHour: number) =>
  store.sql`INSERT INTO sluice.call_budgets (integration_id, calls_per_hour) VALUES (${id}, ${callsPerHour})`;

const remaining = async () =>
  (await listRemainingCalls(store)).find(({ integrationId }) => integrationId === id)?.remaining;

test("a credential has 1,000 calls an hour when nobody says otherwise", async () => {
  expect(await takeCall(store, id)).toBe(0);
  expect(await remaining()).toBe(999);
});

test("calls taken at once never exceed the budget, and the others are told how long to wait", async () => {
  await allow(10);
  const waits = await Promise.all(Array.from({ length: 40 }, () => takeCall(store, id)));
  expect(waits.filter((wait) => wait === 0)).toHaveLength(10);
  for (const wait of waits.filter((each) => each > 0)) expect(wait).toBeLessThanOrEqual(3_600_000);
  expect(await remaining()).toBe(0);
});

test("a rolling hour gives calls back as they age", async () => {
  await allow(1);
  expect(await takeCall(store, id)).toBe(0);
  await store.sql`UPDATE sluice.call_counts SET minute = minute - interval '61 minutes' WHERE integration_id = ${id}`;
  expect(await takeCall(store, id)).toBe(0);
});

test("a 429 blocks every call for as long as it said, and a shorter one does not shorten it", async () => {
  await blockCalls(store, id, 60_000);
  await blockCalls(store, id, 1_000);
  const wait = await takeCall(store, id);
  expect(wait).toBeGreaterThan(1_000);
  expect(wait).toBeLessThanOrEqual(60_000);
});

test("of what the operator allows and what Bitbucket said, the lower counts", async () => {
  await allow(5);
  await learnCallLimit(store, id, 1_000);
  expect(await remaining()).toBe(5);
  await learnCallLimit(store, id, 2);
  expect(await remaining()).toBe(2);
});
