import { drizzle } from "drizzle-orm/postgres-js";
import type postgres from "postgres";

import type { Database, Store, Types } from "./client.ts";

/**
 * Runs `work` in a transaction: committed when it returns, rolled back when it throws.
 *
 * The only place that opens a transaction. It reserves a connection and sends BEGIN on that one, because `sql.begin` of
 * postgres 3.4.9 can send BEGIN on a connection that it does not hold (porsager/postgres #823, #1189, #1204). Delete
 * the detour when those are closed.
 */
export async function withTransaction<R>(store: Store, work: (tx: Database) => Promise<R>): Promise<R> {
  const reserved = await store.sql.reserve();
  try {
    await reserved`BEGIN`;
    try {
      const result = await work(databaseOn(reserved, store));
      await reserved`COMMIT`;
      return result;
    } catch (error) {
      // A rollback fails only when the connection is gone, and then the server rolls back by itself.
      await reserved`ROLLBACK`.catch(() => undefined);
      throw error;
    }
  } finally {
    reserved.release();
  }
}

function databaseOn(reserved: postgres.ReservedSql<Types>, store: Store): Database {
  // Drizzle reads the client's `options`, which a reserved connection of postgres.js does not carry.
  const withOptions = Object.assign(reserved, { options: store.sql.options });
  return { sql: reserved, orm: drizzle(withOptions, { casing: "snake_case" }) };
}
