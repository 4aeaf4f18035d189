import { createTestDatabase, type TestDatabase } from "@sluice/embedded/test-database";
import { afterAll, beforeAll, expect, inject, test } from "vitest";

import { openStore, type Store } from "./client.ts";
import { isTransientDatabaseError } from "./database-error.ts";
import { migrateStore } from "./migrate.ts";
import { withTransaction } from "./transaction.ts";

let database: TestDatabase;
let store: Store;

beforeAll(async () => {
  database = await createTestDatabase({
    serverUrl: inject("postgresUrl"),
    migrate: migrateStore,
    key: "store",
  });
  store = openStore({ url: database.url, maxConnections: 8, applicationName: "test" });
  await store.sql`CREATE TABLE counters (id int PRIMARY KEY, value int NOT NULL)`;
});

afterAll(async () => {
  await store.close();
  await database.drop();
});

test("a transaction that throws leaves nothing, and gives its error and its connection back", async () => {
  for (let round = 0; round < 20; round += 1) {
    const failing = withTransaction(store, async (tx) => {
      await tx.sql`INSERT INTO counters VALUES (${round}, 0)`;
      throw new Error("no");
    });
    await expect(failing).rejects.toThrow("no");
  }
  const [row] = await store.sql<{ count: number }[]>`SELECT count(*) FROM counters`;
  expect(row?.count).toBe(0);
});

test("hundreds of transactions on a small pool never see each other's statements (postgres #823, #1189, #1204)", async () => {
  await store.sql`TRUNCATE counters`;
  // Plain statements of the pool run between those of the transactions.
  const plain = Promise.all(
    Array.from({ length: 400 }, (_, value) => store.sql`SELECT ${value}::int AS value`),
  );
  const outcomes = await Promise.allSettled(
    Array.from({ length: 400 }, (_, id) =>
      withTransaction(store, async (tx) => {
        const [before] = await tx.sql<{ xid: string }[]>`SELECT pg_current_xact_id()::text AS xid`;
        await tx.sql`INSERT INTO counters VALUES (${id}, 1)`;
        if (id % 7 === 0) await tx.sql`SELECT pg_sleep(0.005)`;
        const [after] = await tx.sql<{ xid: string }[]>`SELECT pg_current_xact_id()::text AS xid`;
        expect(after?.xid).toBe(before?.xid);
        if (id % 3 === 0) throw new Error("rolled back");
      }),
    ),
  );
  const failed = outcomes.filter((outcome) => outcome.status === "rejected");
  expect(failed).toHaveLength(134);
  expect((await plain).map(([row]) => row?.["value"])).toEqual(
    Array.from({ length: 400 }, (_, value) => value),
  );
  const [row] = await store.sql<{ count: number }[]>`SELECT count(*) FROM counters WHERE id % 3 <> 0`;
  expect(row?.count).toBe(266);
  const [all] = await store.sql<{ count: number }[]>`SELECT count(*) FROM counters`;
  expect(all?.count).toBe(266);
});

test("a connection that is cut off is a transient failure, and the pool goes on", async () => {
  const cut = withTransaction(store, async (tx) => {
    const [backend] = await tx.sql<{ pid: number }[]>`SELECT pg_backend_pid() AS pid`;
    await store.sql`SELECT pg_terminate_backend(${backend?.pid ?? 0})`;
    await tx.sql`SELECT 1`;
  });
  await expect(cut).rejects.toSatisfy(isTransientDatabaseError);
  await expect(withTransaction(store, (tx) => tx.sql`SELECT 1 AS one`)).resolves.toMatchObject([{ one: 1 }]);
});

test("a refused statement is not transient", async () => {
  await expect(store.sql`SELECT 1/0`).rejects.toSatisfy((error) => !isTransientDatabaseError(error));
});
