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
    return await Promise.race([lease.lost, runTransaction(lease.sql, work)]);
  } finally {
    lease.release();
  }
}

async function runTransaction<R>(
  sql: postgres.ReservedSql<Types>,
  work: (tx: Database) => Promise<R>,
): Promise<R> {
  // Sent ahead of the first statement, on the same connection: one wait less. Its failure counts like any other.
  const begun = sql`BEGIN`.execute();
  try {
    const [, result] = await Promise.all([begun, work({ sql })]);
    await sql`COMMIT`;
    return result;
  } catch (error) {
    // When this fails too, the first error says more; the server rolls back when the connection goes.
    await sql`ROLLBACK`.catch(() => undefined);
    throw error;
  }
}
