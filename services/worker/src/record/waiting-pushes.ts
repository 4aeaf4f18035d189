import { listUndecidedPushes } from "@sluice/store/branch-pushes";
import type { BranchName } from "@sluice/store/branches";
import type { Database } from "@sluice/store/client";
import { findPendingEvent, type PendingEvent } from "@sluice/store/pending-events";
import { allAnswered } from "@sluice/store/transaction";

/** As many as one transaction decides in passing; later ones are left to their jobs. */
const MAX_WAITING = 100;

/**
 * The recorded pushes to `closed` branches that have no decisions yet, in the places that they have now. Two waits for
 * Postgres, and none when no branch is given. The caller holds the locks of the repositories, and will save the branches
 * as certain in the same transaction.
 */
export async function listWaitingPushes(
  tx: Database,
  closed: readonly BranchName[],
): Promise<readonly PendingEvent[]> {
  if (closed.length === 0) return [];
  const ids = await listUndecidedPushes(tx, closed, MAX_WAITING);
  const found = await allAnswered(ids.map((id) => findPendingEvent(tx, id)));
  // The branch is not saved yet.
  return found.flatMap((pending) => (pending === null ? [] : [{ ...pending, isPlaced: true }]));
}
