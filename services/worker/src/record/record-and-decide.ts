import type { Target } from "@sluice/domain/target";
import { applyVerdicts, listBranchTriggers } from "@sluice/store/branch-triggers";
import { saveBranches } from "@sluice/store/branches";
import { insertEvents, type PendingEvent } from "@sluice/store/events";
import { allAnswered, type Transaction } from "@sluice/store/transaction";

import { decideEvent, limitEvent, needsBitbucket, type DecidedEvent } from "../decide-event.ts";
import { countTriggers, toDrafts } from "../write/draft.ts";
import { branchesOf, deletionsOf, judgeBranches } from "../write/judge-branches.ts";
import { checkDrafts, insertDrafts } from "../write/write-drafts.ts";
import { placeDeliveries } from "./place-deliveries.ts";
import type { ReadDelivery } from "./read-delivery.ts";

/** An event that was decided, and how many triggers it made. */
export interface WrittenDecision {
  readonly decided: DecidedEvent;
  readonly triggers: number;
}

/** What a transaction made of its deliveries. */
export interface RecordedDeliveries {
  readonly decisions: readonly WrittenDecision[];
  /** Events that Bitbucket has to be asked about: each gets a job of its own, so that one that waits holds up nobody. */
  readonly waiting: readonly PendingEvent[];
  /** Ids of events that were duplicates, and now wait for decisions of their own. */
  readonly recoveredIds: readonly string[];
}

/**
 * Writes deliveries with their events, decides at once what needs nothing from Bitbucket, and commits: the locks are held,
 * the events are new, and one commit serves both.
 *
 * One such transaction runs at a time, so everybody waits for its waits: three, each for a flight of statements that are
 * sent together.
 */
export async function recordAndDecide(
  tx: Transaction,
  deliveries: readonly ReadDelivery[],
  { maxTriggersPerEvent }: { readonly maxTriggersPerEvent: number },
): Promise<RecordedDeliveries> {
  // 1. The deliveries, the locks, and what is to be known under them.
  const { events, moved, recoveredIds, targets, leftBehind } = await placeDeliveries(tx, deliveries);
  const targetsOf = ({ repositoryId }: PendingEvent): readonly Target[] =>
    repositoryId === null ? [] : (targets.get(repositoryId) ?? []);
  // What a sweep found is rare, and needs to know more than is at hand here.
  const [waiting, ready] = split(
    events,
    (event) => event.source === "sweep" || needsBitbucket(event, targetsOf(event)),
  );
  const decided = ready.map((pending) => {
    const commitSha = pending.event.kind === "push" ? pending.event.newSha : null;
    const all = decideEvent({ pending, targets: targetsOf(pending), files: new Map(), commitSha });
    return limitEvent(all, maxTriggersPerEvent);
  });
  // 2. The branches as they are now, against which the triggers are checked.
  const ofTargets = events.filter((event) => targetsOf(event).length > 0);
  const [, drafts, branches] = await allAnswered([
    saveBranches(tx, moved),
    checkDrafts(tx, toDrafts(decided)),
    listBranchTriggers(tx, branchesOf(ofTargets), []),
  ]);
  // 3. Everything else, and COMMIT behind it.
  await allAnswered([
    insertEvents(tx, events, new Set(ready.map(({ id }) => id))),
    insertDrafts(tx, drafts),
    applyVerdicts(tx, judgeBranches(branches, drafts, deletionsOf(ready))),
    tx.commit(),
  ]);
  const made = countTriggers(drafts);
  return {
    decisions: decided.map((each) => ({ decided: each, triggers: made.get(each.pending.id) ?? 0 })),
    waiting: [...leftBehind, ...waiting],
    recoveredIds,
  };
}

function split<T>(all: readonly T[], isFirst: (one: T) => boolean): readonly [T[], T[]] {
  const first: T[] = [];
  const second: T[] = [];
  for (const one of all) (isFirst(one) ? first : second).push(one);
  return [first, second];
}
