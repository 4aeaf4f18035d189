import { randomUUID } from "node:crypto";

import { createTestDatabase, type TestDatabase } from "@sluice/embedded/test-database";
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from "vitest";

import { openStore, type Store } from "./client.ts";
import { migrateStore } from "./migrate.ts";
import { lockSeenRepositories, lockSettledRepositories, type SeenRepository } from "./repositories.ts";
import { insertIntegration } from "./test-fixtures.ts";
import { withTransaction, type Transaction } from "./transaction.ts";

let database: TestDatabase;
let store: Store;
let ours: SeenRepository;
let fork: SeenRepository;

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
  const integrationId = randomUUID();
  await insertIntegration(store, {
    id: integrationId,
    slug: `acme-${integrationId.slice(0, 8)}`,
    webhookSecretCiphertext: "-",
  });
  ours = { integrationId, uuid: "{1a2b}", fullName: "acme/infra" };
  fork = { integrationId, uuid: "{3c4d}", fullName: "grace/infra" };
});

/** As a transaction that records does it, in two steps. */
const look = (tx: Transaction) => lockSettledRepositories(tx, [ours, fork]);
const settle = (tx: Transaction) => lockSeenRepositories(tx, [ours, fork]);

const see = (...seen: readonly SeenRepository[]) =>
  withTransaction(store, (tx) => lockSeenRepositories(tx, seen));

async function isWaiting(): Promise<boolean> {
  const [row] = await store.sql<[{ isWaiting: boolean }]>`
    SELECT count(*) > 0 AS is_waiting FROM pg_stat_activity
    WHERE datname = current_database() AND cardinality(pg_blocking_pids(pid)) > 0`;
  return row.isWaiting;
}

/** A transaction that goes on when it is told to. */
function pause() {
  let go = (): void => undefined;
  const until = new Promise<void>((resolve) => (go = resolve));
  return { until, go };
}

describe("repositories that deliveries name", () => {
  const isFree = async () => {
    const rows = await store.sql`
      SELECT FROM sluice.repositories WHERE integration_id = ${ours.integrationId} FOR UPDATE SKIP LOCKED`;
    return rows.length > 0;
  };

  test("are locked together when all are known by these names, and else none is", async () => {
    await see(ours);
    await withTransaction(store, async (tx) => {
      expect((await look(tx)).size).toBe(0);
      expect(await isFree()).toBe(true);
    });
    await see({ ...fork, fullName: "grace/infra-of-old" });
    await withTransaction(store, async (tx) => {
      expect((await look(tx)).size).toBe(0);
      expect(await isFree()).toBe(true);
    });
    await see(fork);
    await withTransaction(store, async (tx) => {
      expect((await look(tx)).size).toBe(2);
      expect(await isFree()).toBe(false);
    });
  });
});

describe("repositories that are seen for the first time", () => {
  for (const known of ["ours", "fork"] as const) {
    test(`by two transactions, while a third one makes ${known}, are made and locked in one order`, async () => {
      const [looked, settled] = [pause(), pause()];
      const made = pause();
      let isSettled = false;
      const first = withTransaction(store, async (tx) => {
        await look(tx);
        looked.go();
        await made.until;
        await settle(tx);
        isSettled = true;
        await settled.until;
      });
      await looked.until;
      await see(known === "ours" ? ours : fork);
      const second = withTransaction(store, async (tx) => {
        await look(tx);
        made.go();
        await expect.poll(async () => isSettled || (await isWaiting())).toBe(true);
        const settling = settle(tx);
        settled.go();
        await settling;
      });
      await Promise.all([first, second]);
      const rows =
        await store.sql`SELECT full_name FROM sluice.repositories WHERE integration_id = ${ours.integrationId}`;
      expect(rows).toHaveLength(2);
    });
  }
});
