import type postgres from "postgres";

import type { Database, Store, Types } from "./client.ts";

/** A transaction under way. */
export interface Transaction extends Database {
  /**
   * Sends COMMIT behind the statements that were sent last, without a wait for their answers: to be awaited together with
   * them (`allAnswered`). Nothing may be sent after it. Without it, COMMIT is sent when `work` has returned.
   * @throws when the server rolled back instead, because one of them had failed.
   */
  commit(): Promise<void>;
}

/**
 * Runs `work` in a transaction: committed when it returns, rolled back when it throws. It must await nothing but its
 * own statements.
 *
 * The only place that opens and ends a transaction. It sends BEGIN on a connection that it holds, because `sql.begin` of
 * postgres 3.4.9 can send it on one that it does not hold (porsager/postgres #823, #1189, #1204). Delete the detour when
 * those are closed.
 */
export async function withTransaction<R>(
  store: Pick<Store, "connections">,
  work: (tx: Transaction) => Promise<R>,
): Promise<R> {
  const lease = await store.connections.lease();
  try {
    return await Promise.race([lease.lost, runTransaction(lease.sql, work)]);
  } finally {
    lease.release();
  }
}

/**
 * The answer of a function that has sent its statement. A statement as the driver makes it (which can be cancelled) is not
 * sent before somebody waits for it, so it would come after those of the functions called after it, and after COMMIT.
 */
type Sent = Promise<unknown> & { readonly cancel?: never };

/**
 * Waits for a flight: functions of the store that were called one after the other, without a wait between them.
 * PostgreSQL executes their statements in the order of the calls, each with a snapshot of its own: one that comes after a
 * lock sees what the lock protects.
 * @throws the first failure of the list, once all are answered: those after it only say that the transaction is aborted.
 */
export async function allAnswered<T extends readonly Sent[] | []>(
  flight: T,
): Promise<{ -readonly [P in keyof T]: Awaited<T[P]> }> {
  const answers: readonly PromiseSettledResult<unknown>[] = await Promise.allSettled(flight);
  const failed = answers.find((answer) => answer.status === "rejected");
  if (failed !== undefined) throw failed.reason;
  return Promise.all(flight);
}

async function runTransaction<R>(
  sql: postgres.ReservedSql<Types>,
  work: (tx: Transaction) => Promise<R>,
): Promise<R> {
  let committed: Promise<void> | undefined;
  const commit = (): Promise<void> => {
    committed ??= sendCommit(sql);
    // When `work` fails before it awaits this, its own error is the one to report.
    committed.catch(() => undefined);
    return committed;
  };
  // Sent ahead of the first statement, on the same connection: one wait less. Its failure counts like any other.
  const begun = sql`BEGIN`.execute();
  try {
    const [, result] = await Promise.all([begun, work({ sql, commit })]);
    await commit();
    return result;
  } catch (error) {
    // When this fails too, the first error says more; the server rolls back when the connection goes. After a COMMIT it
    // changes nothing.
    await sql`ROLLBACK`.catch(() => undefined);
    throw error;
  }
}

/** In a transaction that has failed, the server takes COMMIT for ROLLBACK, and says so. */
async function sendCommit(sql: postgres.ReservedSql<Types>): Promise<void> {
  const { command } = await sql`COMMIT`;
  if (command !== "COMMIT") throw new Error("a statement of the transaction had failed: it was rolled back");
}
