/** Work that takes part in no transaction, such as calls to Bitbucket, and that one process at a time may do. */
import type { Database, Store } from "./client.ts";
import { withTransaction } from "./transaction.ts";

/** `busy`: somebody else does it, and nothing was done. */
export type WorkedAlone<R> = { readonly kind: "done"; readonly result: R } | { readonly kind: "busy" };

/**
 * Runs `work` unless work of this name is under way, here or elsewhere. It may last as long as a transaction may
 * (`transactionTimeoutMs`), waiting included while several others are under way in this process.
 *
 * `db` is the connection that holds the right: once that is lost, none of its statements is answered any more, so that work
 * which asks it before each step takes no other one. @throws then, what the driver says; and what `work` throws.
 */
export async function workAlone<R>(
  store: Pick<Store, "locks">,
  name: string,
  work: (db: Database) => Promise<R>,
): Promise<WorkedAlone<R>> {
  // The transaction is there to hold the lock: it has no row and no snapshot while it waits for `work`.
  return withTransaction({ connections: store.locks }, async (tx) => {
    const [row] = await tx.sql<{ isOurs: boolean }[]>`
      SELECT pg_try_advisory_xact_lock(hashtextextended(${name}, 0)) AS is_ours`;
    return row?.isOurs === true ? { kind: "done", result: await work(tx) } : { kind: "busy" };
  });
}
