import type { Store } from "@sluice/store/client";
import { withTransaction, type Transaction } from "@sluice/store/transaction";

/** What a trial came to, and whether it is to stay. */
export interface Trial<R> {
  readonly result: R;
  readonly keep: boolean;
}

/**
 * Runs `work` in a transaction, with stages that would commit by themselves: nothing is committed before `work` returns,
 * and then only what it wants to keep. Everything else is rolled back.
 */
export async function tryInTransaction<R>(
  store: Store,
  work: (tx: Transaction) => Promise<Trial<R>>,
): Promise<R> {
  let tried: Trial<R> | null = null;
  const undone = new Error("a trial that is not kept");
  try {
    await withTransaction(store, async ({ sql }) => {
      tried = await work({ sql, commit: () => Promise.resolve() });
      if (!tried.keep) throw undone;
    });
  } catch (error) {
    if (error !== undone) throw error;
  }
  return resultOf(tried);
}

function resultOf<R>(tried: Trial<R> | null): R {
  if (tried === null) throw new Error("a transaction ended before its work");
  return tried.result;
}
