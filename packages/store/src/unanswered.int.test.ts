import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";

import { createTestDatabase, type TestDatabase } from "@sluice/embedded/test-database";
import { afterAll, afterEach, beforeAll, expect, inject, test } from "vitest";

import { openStore, type Database, type Store, type StoreOptions } from "./client.ts";
import { isTransientDatabaseError } from "./database-error.ts";
import { withTransaction } from "./transaction.ts";

/** For polling, on a machine that has other things to do as well. */
const WAIT = { timeout: 20_000, interval: 50 };

let database: TestDatabase;
const closers: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  database = await createTestDatabase({
    serverUrl: inject("postgresUrl"),
    migrate: async () => undefined,
    key: "empty",
  });
});

afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

afterAll(() => database.drop());

/** A way to Postgres that can swallow everything, on connections that stay open. */
async function startSwallowingProxy() {
  const target = new URL(database.url);
  const sockets = new Set<Socket>();
  let isSwallowing = false;
  const server = createServer((client) => {
    const upstream = connect(Number(target.port), target.hostname);
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from);
      from.on("data", (chunk) => isSwallowing || to.write(chunk));
      from.on("close", () => {
        sockets.delete(from);
        to.destroy();
      });
      from.on("error", () => undefined);
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  closers.push(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, "close");
  });
  const url = new URL(target);
  // A server that listens on TCP has an address with a port.
  url.host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url: url.href,
    swallow: (really: boolean) => void (isSwallowing = really),
    connections: () => sockets.size / 2,
  };
}

function open(options: Omit<StoreOptions, "maxConnections" | "applicationName">): Store {
  const store = openStore({ maxConnections: 2, applicationName: "test", ...options });
  closers.push(() => store.close(0));
  return store;
}

const pid = (db: Database) =>
  db.sql<{ pid: number }[]>`SELECT pg_backend_pid() AS pid`.then(([row]) => row?.pid);

test("a statement and a transaction that are not answered fail as transient, and their connections are not used again", async () => {
  const proxy = await startSwallowingProxy();
  const store = open({ url: proxy.url, statementTimeoutMs: 2_000, transactionTimeoutMs: 60_000 });
  const before = [await pid(store), await withTransaction(store, pid)];

  proxy.swallow(true);
  const unanswered = [store.sql`SELECT 1`, store.sql`SELECT 2`, withTransaction(store, pid)];
  for (const outcome of await Promise.allSettled(unanswered)) {
    expect(outcome).toMatchObject({
      status: "rejected",
      reason: { code: expect.stringMatching(/^CONNECTION_(?:TIMEOUT|CLOSED)$/) as string },
    });
    expect(outcome.status === "rejected" && isTransientDatabaseError(outcome.reason)).toBe(true);
  }
  proxy.swallow(false);
  const after = [await pid(store), await withTransaction(store, pid)];
  expect(new Set([...before, ...after]).size).toBe(4);
  await expect.poll(proxy.connections, WAIT).toBe(2);
});

test("transactions go on after Postgres could not be reached, also for a time and when nothing was in use", async () => {
  const proxy = await startSwallowingProxy();
  const store = open({ url: proxy.url, statementTimeoutMs: 1_000, transactionTimeoutMs: 60_000 });
  await withTransaction(store, pid);
  // The connection was idle for long enough to be closed.
  await expect.poll(proxy.connections, WAIT).toBe(0);
  proxy.swallow(true);
  for (let attempt = 0; attempt < 2; attempt += 1) {
    await expect(withTransaction(store, pid)).rejects.toSatisfy(isTransientDatabaseError);
  }
  proxy.swallow(false);
  expect(await withTransaction(store, pid)).toBeTypeOf("number");
});

test("a statement that takes its whole time is not cut off, however long its connection was silent before", async () => {
  const store = open({ url: database.url, statementTimeoutMs: 12_000 });
  const before = await pid(store);
  // Each below the 12 s after which it would be ended, with room for a slow machine; both together above the 17 s after
  // which a connection without an answer is closed.
  await new Promise((resolve) => setTimeout(resolve, 9_000));
  await store.sql`SELECT pg_sleep(9)`;
  expect(await pid(store)).toBe(before);
}, 60_000);

test("a transaction as a whole has a time, also when each of its statements is quick", async () => {
  const store = open({ url: database.url, transactionTimeoutMs: 2_000 });
  const endless = withTransaction(store, async (tx) => {
    for (;;) await tx.sql`SELECT pg_sleep(0.01)`;
  });
  await expect(endless).rejects.toMatchObject({ code: "CONNECTION_TIMEOUT" });
  await expect(withTransaction(store, (tx) => tx.sql`SELECT 1 AS one`)).resolves.toMatchObject([{ one: 1 }]);
});

test("who waits for a connection that others keep is told in time, and takes none from those behind", async () => {
  const store = open({ url: database.url, transactionTimeoutMs: 2_000 });
  let letGo = (): void => undefined;
  const kept = withTransaction(store, () => new Promise<void>((resolve) => (letGo = resolve)));
  const first = withTransaction(store, pid);
  await expect(Promise.all([kept, first])).rejects.toMatchObject({ code: "CONNECTION_TIMEOUT" });
  await expect(kept).rejects.toMatchObject({ code: "CONNECTION_TIMEOUT" });
  letGo();
  await Promise.allSettled([first]);
  expect(await withTransaction(store, pid)).toBeTypeOf("number");
});

test("what listens may be silent for longer", async () => {
  const store = open({ url: database.url, statementTimeoutMs: 1_000 });
  const heard: string[] = [];
  let subscriptions = 0;
  await store.sql.listen(
    "news",
    (payload) => heard.push(payload),
    () => (subscriptions += 1),
  );
  // Above the 6 s after which a statement without an answer is given up.
  await new Promise((resolve) => setTimeout(resolve, 7_000));
  await store.sql.notify("news", "at last");
  await expect.poll(() => heard, WAIT).toEqual(["at last"]);
  expect(subscriptions).toBe(1);
});
