import { createTestDatabase, type TestDatabase } from "@sluice/embedded/test-database";
import { afterAll, beforeAll, expect, inject, test } from "vitest";

import { openStore, type Store } from "./client.ts";
import { isTransientDatabaseError } from "./database-error.ts";
import { migrateStore } from "./migrate.ts";
import { allAnswered, withTransaction, type Transaction } from "./transaction.ts";

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

async function add(tx: Transaction, id: number, share: number): Promise<void> {
  await tx.sql`INSERT INTO counters VALUES (${id}, 100 / ${share}::int)`;
}

/** Takes longer to pass the answer on. */
async function addSlowly(tx: Transaction, id: number, share: number): Promise<void> {
  await add(tx, id, share);
}

async function change(tx: Transaction, id: number, by: { times: number; plus: number }): Promise<number> {
  const [row] = await tx.sql<{ value: number }[]>`
    UPDATE counters SET value = value * ${by.times}::int + ${by.plus}::int WHERE id = ${id} RETURNING value`;
  return row?.value ?? 0;
}

test("what is sent together is done in the order of the calls, also on a connection that is new, and COMMIT at the end", async () => {
  const own = openStore({ url: database.url, maxConnections: 2, applicationName: "test" });
  await store.sql`TRUNCATE counters`;
  for (const id of [1, 2]) {
    await withTransaction(own, async (tx) => {
      const [, doubled] = await allAnswered([
        addSlowly(tx, id, 4),
        change(tx, id, { times: 2, plus: 0 }),
        change(tx, id, { times: 1, plus: 1 }),
        tx.commit(),
      ]);
      expect(doubled).toBe(50);
    });
  }
  expect(await store.sql`SELECT * FROM counters ORDER BY id`).toEqual([
    { id: 1, value: 51 },
    { id: 2, value: 51 },
  ]);
  await own.close();
});

test("when COMMIT was sent behind a statement that fails, nothing is committed, and that statement is the one to blame", async () => {
  await store.sql`TRUNCATE counters`;
  for (let round = 0; round < 5; round += 1) {
    const failing = withTransaction(store, (tx) =>
      allAnswered([add(tx, 1, 1), addSlowly(tx, 2, 0), add(tx, 3, 1), tx.commit()]),
    );
    await expect(failing).rejects.toMatchObject({ code: "22012" });
  }
  expect(await store.sql`SELECT * FROM counters`).toEqual([]);
});

test("work that keeps a statement's failure to itself is not taken for committed", async () => {
  await store.sql`TRUNCATE counters`;
  const swallowed = withTransaction(store, async (tx) => {
    await add(tx, 1, 1);
    await add(tx, 2, 0).catch(() => undefined);
  });
  await expect(swallowed).rejects.toThrow("rolled back");
  expect(await store.sql`SELECT * FROM counters`).toEqual([]);
});

async function sleep(tx: Transaction): Promise<void> {
  await tx.sql`SELECT pg_sleep(10)`;
}

test("a connection that is cut off before COMMIT is answered is a transient failure", async () => {
  const cut = withTransaction(store, async (tx) => {
    const [backend] = await tx.sql<{ pid: number }[]>`SELECT pg_backend_pid() AS pid`;
    // Both are awaited from the start: which of them is answered first is not known.
    await Promise.all([
      allAnswered([sleep(tx), tx.commit()]),
      store.sql`SELECT pg_terminate_backend(${backend?.pid ?? 0})`,
    ]);
  });
  await expect(cut).rejects.toSatisfy(isTransientDatabaseError);
  await expect(withTransaction(store, (tx) => tx.sql`SELECT 1 AS one`)).resolves.toMatchObject([{ one: 1 }]);
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
