import { createTestDatabase, type TestDatabase } from "@sluice/embedded/test-database";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";

import { openStore, type Store } from "./client.ts";
import { workAlone } from "./exclusive-work.ts";
import { migrateStore } from "./migrate.ts";
import { withTransaction } from "./transaction.ts";

let database: TestDatabase;
let store: Store;
let elsewhere: Store;

beforeAll(async () => {
  database = await createTestDatabase({
    serverUrl: inject("postgresUrl"),
    migrate: migrateStore,
    key: "store",
  });
  store = openStore({ url: database.url, maxConnections: 1, applicationName: "test" });
  elsewhere = openStore({ url: database.url, maxConnections: 1, applicationName: "test" });
});

afterAll(async () => {
  await Promise.all([store.close(), elsewhere.close()]);
  await database.drop();
});

const nothing = () => Promise.resolve("done");
const DONE = { kind: "done", result: "done" };
const BUSY = { kind: "busy" };

describe("work that one does alone", () => {
  test("is done by nobody else meanwhile, here or elsewhere; other work is", async () => {
    const during = await workAlone(store, "one", async () => [
      await workAlone(store, "one", nothing),
      await workAlone(elsewhere, "one", nothing),
      await workAlone(elsewhere, "other", nothing),
    ]);
    expect(during).toEqual({ kind: "done", result: [BUSY, BUSY, DONE] });
    expect(await workAlone(elsewhere, "one", nothing)).toEqual(DONE);
  });

  test("may be done again once it has failed", async () => {
    const failing = workAlone(store, "failing", () => Promise.reject(new Error("it failed")));
    await expect(failing).rejects.toThrow("it failed");
    expect(await workAlone(elsewhere, "failing", nothing)).toEqual(DONE);
  });

  test("has transactions while it lasts, also where there is one connection for them", async () => {
    const counting = workAlone(store, "counting", () =>
      withTransaction(store, async (tx) => (await tx.sql<{ one: number }[]>`SELECT 1 AS one`)[0]?.one),
    );
    expect(await counting).toEqual({ kind: "done", result: 1 });
  });

  test("fails when its connection is lost, and takes no further step that asks it", async () => {
    let steps = 0;
    const losing = workAlone(store, "losing", async (db) => {
      const [row] = await db.sql<{ pid: number }[]>`SELECT pg_backend_pid() AS pid`;
      await elsewhere.sql`SELECT pg_terminate_backend(${row?.pid ?? 0})`;
      await expect.poll(() => workAlone(elsewhere, "losing", nothing)).toEqual(DONE);
      await db.sql`SELECT 1`;
      steps += 1;
    });
    await expect(losing).rejects.toMatchObject({
      code: expect.stringMatching(/CONNECTION_|57P01/) as string,
    });
    expect(await workAlone(store, "losing", nothing)).toEqual(DONE);
    expect(steps).toBe(0);
  });
});
