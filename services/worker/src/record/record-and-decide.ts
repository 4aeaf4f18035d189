import type { Target } from "@sluice/domain/target";
import { filterToldAgain } from "@sluice/store/branch-pushes";
import { listBranchTriggers } from "@sluice/store/branch-triggers";
import { applyVerdicts } from "@sluice/store/trigger-ends";
import { saveBranches } from "@sluice/store/branches";
import { insertEvents, markEventsDecided, type NewEvent } from "@sluice/store/events";
import type { PendingEvent } from "@sluice/store/pending-events";
import { savePullRequests } from "@sluice/store/pull-requests";
import { allAnswered, type Transaction } from "@sluice/store/transaction";
import { takeOverTriggers, type ArrivedPush } from "@sluice/store/triggers";

import { decideEvent, limitEvent, needsResolving, type DecidedEvent } from "../decide-event.ts";
import { countTriggers, toDrafts } from "../write/draft.ts";
import { branchesOf, judgeBranches } from "../write/judge-branches.ts";
import { NO_REPORTS } from "../write/place-reports.ts";
import { checkDrafts, insertDrafts } from "../write/write-drafts.ts";
import { placeDeliveries } from "./place-deliveries.ts";
import type { ReadDelivery } from "./read-delivery.ts";
import { listWaitingPushes } from "./waiting-pushes.ts";

/** An event that was decided, and how many triggers it made. */
export interface WrittenDecision {
  readonly decided: DecidedEvent;
  readonly triggers: number;
}

/** What a transaction made of its deliveries. */
export interface RecordedDeliveries {
  /** Also of events of earlier deliveries, which had waited for a push of these. */
  readonly decisions: readonly WrittenDecision[];
  /** Events that Bitbucket has to be asked about: each gets a job of its own, so that one that waits holds up nobody. */
  readonly waiting: readonly PendingEvent[];
  /** Ids of events that were duplicates, and now wait for decisions of their own. */
  readonly recoveredIds: readonly string[];
}

/**
 * Writes deliveries with their events, decides at once what needs nothing from Bitbucket, and commits: the locks are held,
 * the events are new, and one commit serves both. A push that closes a gap brings the decisions of those that had waited
 * for it (rule 14).
 *
 * One such transaction runs at a time, so everybody waits for its waits: three, each for a flight of statements that are
 * sent together, and a few more where a push came late.
 */
export async function recordAndDecide(
  tx: Transaction,
  deliveries: readonly ReadDelivery[],
  { maxTriggersPerEvent }: { readonly maxTriggersPerEvent: number },
): Promise<RecordedDeliveries> {
  // 1. The deliveries, the locks, and what is to be known under them.
  const placed = await placeDeliveries(tx, deliveries);
  const { events, moved, pullRequests, targets } = placed;
  const targetsOf = ({ repositoryId }: PendingEvent): readonly Target[] =>
    repositoryId === null ? [] : (targets.get(repositoryId) ?? []);
  // What a sweep found is rare, and needs to know more than is at hand here.
  const isToWait = (event: PendingEvent) =>
    event.source === "sweep" || needsResolving(event, targetsOf(event));
  const [waiting, ready] = split(events, isToWait);
  // What waited only for a push that has come now. It has a job, which will find it decided.
  const released = (await listWaitingPushes(tx, placed.closed)).filter(
    (event) => !isToWait(event) && !placed.recoveredIds.includes(event.id),
  );
  const releasedIds = released.map(({ id }) => id);
  const toldAgain = new Set([
    ...(await filterToldAgain(tx, releasedIds)),
    ...events.flatMap(({ id, isToldAgain }) => (isToldAgain ? id : [])),
  ]);
  const decided = [...released, ...ready].map((pending) => {
    const commitSha = pending.event.kind === "push" ? pending.event.newSha : null;
    const all = decideEvent({ pending, targets: targetsOf(pending), files: new Map(), commitSha });
    return limitEvent(all, maxTriggersPerEvent);
  });
  // 2. The branches as they are now, against which the triggers are checked.
  const ofTargets = events.filter((event) => targetsOf(event).length > 0);
  const arrived = ofTargets.flatMap(toArrived);
  const [, , , drafts, branches] = await allAnswered([
    saveBranches(tx, moved),
    savePullRequests(tx, pullRequests),
    takeOverTriggers(tx, arrived),
    checkDrafts(tx, toDrafts(decided, NO_REPORTS, toldAgain)),
    listBranchTriggers(
      tx,
      branchesOf(ofTargets),
      releasedIds,
      arrived.map(({ sha }) => sha),
    ),
  ]);
  // 3. Everything else, and COMMIT behind it.
  const decidedIds = new Set(ready.map(({ id }) => id));
  await allAnswered([
    insertEvents(tx, events, decidedIds),
    markEventsDecided(tx, releasedIds),
    insertDrafts(tx, drafts),
    applyVerdicts(tx, judgeBranches(branches, drafts, { events, decidedIds })),
    tx.commit(),
  ]);
  const made = countTriggers(drafts);
  return {
    decisions: decided.map((each) => ({ decided: each, triggers: made.get(each.pending.id) ?? 0 })),
    waiting: [...placed.leftBehind.filter(({ id }) => !releasedIds.includes(id)), ...waiting],
    recoveredIds: placed.recoveredIds,
  };
}

/** A push to a branch; one that is told again is none, as far as is known. */
function toArrived({ event, repositoryId, branchArrival, sequence, isToldAgain }: NewEvent): ArrivedPush[] {
  if (event.kind !== "push" || event.newSha === null || repositoryId === null) return [];
  if (event.refKind !== "branch" || branchArrival === null || isToldAgain) return [];
  const { refName, newSha: sha } = event;
  return [{ repositoryId, refName, sha, branchArrival, position: sequence }];
}

function split<T>(all: readonly T[], isFirst: (one: T) => boolean): readonly [T[], T[]] {
  const first: T[] = [];
  const second: T[] = [];
  for (const one of all) (isFirst(one) ? first : second).push(one);
  return [first, second];
}
