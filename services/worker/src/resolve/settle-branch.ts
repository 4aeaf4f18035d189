import type { BitbucketClient } from "@sluice/bitbucket/client";
import { AppError } from "@sluice/domain/app-error";
import { settleBranch } from "@sluice/domain/branch";
import type { PushEvent } from "@sluice/domain/event";
import { listRecentPushes, rearrangePushes } from "@sluice/store/branch-pushes";
import { branchKey, findBranches, saveBranches } from "@sluice/store/branches";
import type { Database, Store } from "@sluice/store/client";
import { findPendingEvent, type PendingEvent } from "@sluice/store/pending-events";
import { lockRepositories } from "@sluice/store/repositories";
import { withTransaction } from "@sluice/store/transaction";
import { lockOutClaims } from "@sluice/store/triggers";

/** How long the push that came to Bitbucket's head is waited for; after that it counts as lost. */
const PATIENCE_MS = 2 * 60_000;
const ASK_AGAIN_MS = 5_000;
/** Most gaps close by themselves so soon: two pushes overtook each other on the way. */
export const GAP_GRACE_MS = 1_000;

/** A branch of a repository, and where Bitbucket says it is; null when the repository hides it. */
type Head = { readonly sha: string | null } | null;

/**
 * Asks Bitbucket where the branch of a push is, and gives the branch's pushes their places by that (rule 14).
 * @returns the event in its place; null when it was decided meanwhile.
 * @throws AppError `branch_unsettled` while no recorded push ends at the head, and what the client throws.
 */
export async function settlePlace(input: {
  readonly pending: PendingEvent;
  readonly event: PushEvent;
  readonly store: Store;
  readonly client: BitbucketClient;
  readonly enqueueRecovered: (ids: readonly string[]) => Promise<void>;
}): Promise<PendingEvent | null> {
  const { pending, event, store, client } = input;
  const ageMs = Date.now() - Date.parse(pending.receivedAt);
  if (ageMs < GAP_GRACE_MS) {
    throw unsettled(`the push that ${event.refName} went on from has not come`, GAP_GRACE_MS);
  }
  const head = await askHead(client, event);
  const recoveredIds: string[] = [];
  const settled = await withTransaction(store, async (tx) => {
    const ids =
      (await settle(tx, pending, event.refName, head)) ??
      (ageMs > PATIENCE_MS ? await settle(tx, pending, event.refName, null) : null);
    if (ids === null) {
      const where = head?.sha ?? "gone";
      throw unsettled(
        `Bitbucket has ${event.refName} at ${where}, and no push to there has come`,
        ASK_AGAIN_MS,
      );
    }
    recoveredIds.push(...ids);
    return findPendingEvent(tx, pending.id);
  });
  if (recoveredIds.length > 0) await input.enqueueRecovered(recoveredIds);
  return settled;
}

function unsettled(message: string, afterMs: number): AppError {
  return new AppError("branch_unsettled", message, { retry: { afterMs } });
}

async function askHead(client: BitbucketClient, event: PushEvent): Promise<Head> {
  try {
    return { sha: await client.getBranch(event.repository, event.refName) };
  } catch (error) {
    if (error instanceof AppError && error.code === "bitbucket_not_found") return null;
    throw error;
  }
}

/**
 * Settles the branch, unless another event's answer has.
 * @returns ids of events that are to be decided anew; null when it is not settled.
 */
async function settle(
  tx: Database,
  { repositoryId }: PendingEvent,
  name: string,
  head: Head,
): Promise<string[] | null> {
  if (repositoryId === null) return [];
  const branch = { repositoryId, name };
  await lockRepositories(tx, [repositoryId]);
  const known = (await findBranches(tx, [branch])).get(branchKey(branch));
  if (known === undefined || known.chain !== "unsure") return [];
  const settled = settleBranch(known, await listRecentPushes(tx, branch), head);
  if (settled === null) return null;
  await lockOutClaims(tx);
  const recoveredIds = await rearrangePushes(tx, branch, settled);
  await saveBranches(tx, [{ ...branch, ...settled.branch }]);
  return recoveredIds;
}
