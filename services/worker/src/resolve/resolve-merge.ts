import { AppError } from "@sluice/domain/app-error";
import type { MergePush } from "@sluice/domain/decide-merge";
import type { PullRequestEvent } from "@sluice/domain/event";
import type { Target } from "@sluice/domain/target";
import type { Store } from "@sluice/store/client";
import { findPushOfCommit, listDecisionsOfEvent } from "@sluice/store/recorded-commits";
import type { PendingEvent } from "@sluice/store/pending-events";
import { requestSweeps } from "@sluice/store/sweeps";

import { decideTargets, type DecidedEvent } from "../decide-event.ts";

/** The push of a merge is told at the same time: how long it is waited for before a sweep is asked to look. */
const PATIENCE_MS = 30_000;
/** How long a sweep is given to recover it. */
const SWEEP_PATIENCE_MS = 15 * 60_000;
const ASK_AGAIN_MS = 2_000;
const SWEEP_WAIT_MS = 30_000;

/**
 * What a merge means: what the push of its merge commit to the destination branch means, and nothing that runs besides
 * (rule 22, decision 8).
 * @throws AppError `merge_push_awaited` until that push is decided: the event waits.
 */
export async function resolveMerge(input: {
  readonly pending: PendingEvent;
  readonly event: PullRequestEvent;
  readonly targets: readonly Target[];
  readonly store: Store;
}): Promise<DecidedEvent> {
  const { pending, event, targets, store } = input;
  const { repositoryId } = pending;
  const { mergeSha, destination } = event.pullRequest;
  const repeat = (byTarget: ReadonlyMap<string | null, MergePush>) =>
    decideTargets(event, targets, ({ id }) => {
      const mergePush = byTarget.get(id);
      return { files: null, pullRequest: null, ...(mergePush === undefined ? {} : { mergePush }) };
    });
  const lost = (): DecidedEvent => ({ pending, commitSha: null, decisions: repeat(new Map()) });
  if (repositoryId === null || mergeSha === null) return lost();
  const push = await findPushOfCommit(store, { repositoryId, name: destination.branch }, mergeSha);
  if (push === null) {
    const ageMs = Date.now() - Date.parse(pending.receivedAt);
    const isTracked = targets.some(({ trackedBranch }) => trackedBranch === destination.branch);
    if (ageMs < PATIENCE_MS) throw awaited(event, ASK_AGAIN_MS);
    // A sweep recovers pushes of tracked branches; on another one nothing can be made up for.
    if (!isTracked || ageMs > SWEEP_PATIENCE_MS) return lost();
    await requestSweeps(store, { repository: event.repository.fullName, notSweptForMs: SWEEP_WAIT_MS });
    throw awaited(event, SWEEP_WAIT_MS);
  }
  if (!push.isDecided) throw awaited(event, ASK_AGAIN_MS);
  const decisions = await listDecisionsOfEvent(store, push.eventId);
  const byTarget = new Map(decisions.map((decision) => [decision.targetId, decision]));
  return { pending, commitSha: push.newSha, decisions: repeat(byTarget) };
}

function awaited({ pullRequest }: PullRequestEvent, afterMs: number): AppError {
  const { number, mergeSha, destination } = pullRequest;
  return new AppError(
    "merge_push_awaited",
    `the push of ${mergeSha ?? "a commit"} to ${destination.branch}, which merged pull request ${String(number)}, is not decided yet`,
    { retry: { afterMs } },
  );
}
