import postgres from "postgres";
import { afterEach, expect, inject, test } from "vitest";
import { createTestDatabase, type TestDatabase } from "./test-database.ts";

const serverUrl = inject("postgresUrl");
const open: TestDatabase[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((database) => database.drop()));
});

async function run(url: string, query: string): Promise<readonly Record<string, unknown>[]> {
  const sql = postgres(url, { max: 1 });
  try {
    return await sql.unsafe(query);
  } finally {
    await sql.end();
  }
}

function aKey(): string {
  return `t${Math.random().toString(36).slice(2)}`;
}

async function create(key: string, migrate: (url: string) => Promise<void>): Promise<TestDatabase> {
  const database = await createTestDatabase({ serverUrl, key, migrate });
  open.push(database);
  return database;
}

test("callers at the same time share one migration and get a database each", async () => {
  const key = aKey();
  let migrations = 0;
  const migrate = async (url: string): Promise<void> => {
    migrations++;
    await run(url, "create table note (body text)");
  };
  const databases = await Promise.all([1, 2, 3, 4].map(() => create(key, migrate)));
  expect(migrations).toBe(1);
  expect(new Set(databases.map(({ url }) => url)).size).toBe(4);
  const [first, second] = databases;
  await run(first!.url, "insert into note values ('mine')");
  expect(await run(first!.url, "select body from note")).toEqual([{ body: "mine" }]);
  expect(await run(second!.url, "select body from note")).toEqual([]);
});

test("a migration that fails is reported, and tried again by the next caller", async () => {
  const key = aKey();
  await expect(
    create(key, (url) => run(url, "create table half (id int); select 1/0").then(() => undefined)),
  ).rejects.toThrow("division by zero");
  const database = await create(key, (url) => run(url, "create table whole (id int)").then(() => undefined));
  expect(await run(database.url, "select tablename from pg_tables where schemaname = 'public'")).toEqual([
    { tablename: "whole" },
  ]);
});

test("drop removes the database although a connection is open", async () => {
  const database = await create(aKey(), async () => undefined);
  const sql = postgres(database.url, { max: 1, onnotice: () => undefined });
  await sql`select 1`;
  await database.drop();
  await expect(run(database.url, "select 1")).rejects.toThrow("does not exist");
  await sql.end({ timeout: 1 }).catch(() => undefined);
});

test("a database that a secret was written to is told when it is dropped", async () => {
  const migrate = (url: string) => run(url, "create table note (body jsonb)").then(() => undefined);
  const key = aKey();
  const secrets = ["a-token-of-the-tests", `slc_${"a".repeat(8)}_${"b".repeat(43)}`];
  for (const secret of secrets) {
    const database = await createTestDatabase({ serverUrl, key, migrate });
    await run(database.url, `insert into note values ('{"deep": ["${secret}"]}')`);
    await expect(database.drop()).rejects.toThrow("a secret of the tests can be read in public.note");
  }
  const clean = await createTestDatabase({ serverUrl, key, migrate });
  await run(clean.url, `insert into note values ('{"deep": ["slc_short"]}')`);
  await expect(clean.drop()).resolves.toBeUndefined();
});
