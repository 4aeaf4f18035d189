import { drizzle } from "drizzle-orm/postgres-js";
import type postgres from "postgres";

import type { Database, Store, Types } from "./client.ts";

/**
 * Runs `work` in a transaction: committed when it returns, rolled back when it throws. It must await nothing but its
 * own statements.
 *
 * The only place that opens a transaction. It sends BEGIN on a connection that it holds, because `sql.begin` of
 * postgres 3.4.9 can send it on one that it does not hold (porsager/postgres #823, #1189, #1204). Delete the detour when
 * those are closed.
 */
export async function withTransaction<R>(store: Store, work: (tx: Database) => Promise<R>): Promise<R> {
  const lease = await store.connections.lease();
  try {
    return await Promise.race([lease.lost, runTransaction(lease.sql, store, work)]);
  } finally {
    lease.release();
  }
}

async function runTransaction<R>(
  sql: postgres.ReservedSql<Types>,
  store: Store,
  work: (tx: Database) => Promise<R>,
): Promise<R> {
  await sql`BEGIN`;
  try {
    const result = await work(databaseOn(sql, store));
    await sql`COMMIT`;
    return result;
  } catch (error) {
    // When this fails too, the first error says more; the server rolls back when the connection goes.
    await sql`ROLLBACK`.catch(() => undefined);
    throw error;
  }
}

function databaseOn(sql: postgres.ReservedSql<Types>, store: Store): Database {
  // Drizzle reads the client's `options`, which a reserved connection of postgres.js does not carry.
  return { sql, orm: drizzle(Object.assign(sql, { options: store.sql.options }), { casing: "snake_case" }) };
}
