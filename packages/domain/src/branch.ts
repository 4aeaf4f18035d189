/** The history of a branch, from pushes that come late, twice and out of order (rule 14). */
import { arrangePushes, type Arrangement } from "./branch-arrangement.ts";
import {
  ABSENT,
  distinctPushes,
  isOfSweep,
  originOf,
  type BranchPush,
  type RecordedPush,
} from "./branch-push.ts";

/** What is known of a branch: its head, and the push by which it came there. */
export interface BranchState {
  /** Null when the branch is gone. */
  readonly headSha: string | null;
  /** Arrival of the push that brought the branch to this head: a return to an earlier commit is a new arrival. */
  readonly arrivalSequence: number;
  /** What the branch's first recorded push left: a hash, or `absent` when it made the branch; null when it did not say. */
  readonly origin: string | null;
  /**
   * - `whole`: each push begins where the one before it ended;
   * - `broken`: pushes are missing or told again, and yet the head is certain;
   * - `unsure`: the pushes do not settle what the head is, and Bitbucket has not been asked yet.
   */
  readonly chain: Arrangement["chain"];
}

/**
 * Where a push belongs:
 * - `repeated`: it says what a recorded push said (a second hook, a manual resend, the webhook of a push that a sweep had
 *   found), and has its place;
 * - `told_again`: the same, but by the same hook: it keeps a place of its own, in case it is another push after all;
 * - `moved`: it moves the branch.
 */
export type PushPlace =
  | { readonly kind: "repeated"; readonly push: RecordedPush; readonly branch: BranchState }
  | { readonly kind: "told_again"; readonly push: RecordedPush; readonly branch: BranchState }
  | ({ readonly kind: "moved" } & BranchMove);

/** A branch in a new state, and what that changes of its recorded pushes. */
export interface BranchMove extends Pick<Arrangement, "recovered" | "sequences"> {
  readonly branch: BranchState;
}

/**
 * Whether a push goes on from the known head, so that its place needs no other push to be found. A push that comes back
 * to where the history begins does not: that circle could be told from either end.
 */
export function continuesChain(
  push: Pick<BranchPush, "oldSha" | "newSha" | "change">,
  known: BranchState | null,
): boolean {
  if (known === null) return true;
  if (known.chain !== "whole" || known.origin === (push.newSha ?? ABSENT)) return false;
  return leavesHead(push, known);
}

function leavesHead(push: Pick<BranchPush, "oldSha" | "change">, { headSha }: BranchState): boolean {
  return headSha === null ? push.change === "created" : push.oldSha === headSha;
}

/** Places a push. `recorded`: the branch's latest pushes, in any order; not needed where `continuesChain`. */
export function placePush(
  push: BranchPush,
  known: BranchState | null,
  recorded: readonly RecordedPush[],
): PushPlace {
  const arrived = { ...push, branchArrival: push.sequence, isToldAgain: false, isAwaited: isOfSweep(push) };
  if (known === null || (continuesChain(push, known) && !isOfSweep(push))) {
    const origin = known === null ? originOf(push) : known.origin;
    const branch = stateAt(arrived, origin, "whole");
    return { kind: "moved", branch, recovered: [], sequences: new Map() };
  }
  if (isOfSweep(push)) {
    const swept = placeSwept(arrived, known, recorded);
    if (swept !== null) return swept;
  }
  const leaves = known.chain !== "unsure" && leavesHead(push, known);
  const same = findSame(
    push,
    recorded.filter((other) => !isOfSweep(other) || couldBeIts(push, other, leaves, recorded)),
  );
  if (same?.isOfOtherHook === true) return { kind: "repeated", push: same.push, branch: known };
  const before = arrangePushes(recorded, null, push);
  const after = arrangePushes([...recorded, arrived], null, push);
  const found = findUnclaimed(push, recorded);
  if (found !== null && (!leaves || countGapsAs(found, push, recorded) < after.gaps)) {
    // Should it be a later return to that commit after all, then what comes between is not to be taken for the head.
    const chain = known.chain === "whole" && found.oldSha !== push.oldSha ? "broken" : known.chain;
    return { kind: "repeated", push: found, branch: { ...known, chain } };
  }
  if (same !== null && after.gaps > before.gaps) {
    // Who tells it is not known: held for another hook.
    if (push.hookId === null) return { kind: "repeated", push: same.push, branch: known };
    const chain = known.chain === "whole" ? "broken" : known.chain;
    return { kind: "told_again", push: same.push, branch: { ...known, chain } };
  }
  if (after.isCircle) {
    const branch = stateAt(arrived, known.origin, "unsure");
    return { kind: "moved", branch, recovered: [], sequences: new Map() };
  }
  const goesOnFromHead = leaves && after.last?.sequence === push.sequence && after.gaps <= before.gaps;
  const isAsCertain = known.chain === "broken" && goesOnFromHead && !after.couldEndElsewhere;
  const branch = stateAt(
    after.last ?? arrived,
    after.origin ?? known.origin,
    isAsCertain && after.chain === "unsure" ? "broken" : after.chain,
  );
  return { kind: "moved", branch, recovered: after.recovered, sequences: after.sequences };
}

/**
 * Puts the pushes of an unsure branch in order. `head`: what Bitbucket says; null: take what the pushes alone say, when it
 * will not say.
 * @returns null when no recorded push ends at that head: the push that does has still to come.
 */
export function settleBranch(
  known: BranchState,
  recorded: readonly RecordedPush[],
  head: { readonly sha: string | null } | null,
): BranchMove | null {
  const { last, origin, recovered, sequences, chain } = arrangePushes(
    recorded,
    head === null ? null : (head.sha ?? ABSENT),
  );
  if (last === null || (head !== null && last.newSha !== head.sha)) return null;
  const settled = chain === "whole" ? "whole" : "broken";
  return { branch: stateAt(last, origin ?? known.origin, settled), recovered, sequences };
}

function stateAt(push: RecordedPush, origin: string | null, chain: BranchState["chain"]): BranchState {
  return { headSha: push.newSha, arrivalSequence: push.branchArrival, origin, chain };
}

/**
 * The recorded push that is said once more. Each hook tells each push once, so its reports are counted: the second report
 * of one hook is the second such push that another hook told, if that did.
 */
function findSame(
  push: BranchPush,
  recorded: readonly RecordedPush[],
): { readonly push: RecordedPush; readonly isOfOtherHook: boolean } | null {
  const same = recorded.filter(
    ({ oldSha, newSha, change }) =>
      oldSha === push.oldSha && newSha === push.newSha && change === push.change,
  );
  const told = same.filter((other) => tellerOf(other) === tellerOf(push)).length;
  const pushes = distinctPushes(same);
  const toldByOther = pushes[told];
  if (toldByOther !== undefined) return { push: toldByOther, isOfOtherHook: true };
  const last = pushes.at(-1);
  return last === undefined ? null : { push: last, isOfOtherHook: false };
}

function tellerOf({ hookId, attempt }: BranchPush): string {
  return `${hookId ?? ""} ${attempt > 1 ? "again" : "first"}`;
}

/**
 * A sweep's push goes on from the head that was known, whatever is known of the way there; or it comes too late, and then
 * the push that came to its commit says more. Null: neither.
 */
function placeSwept(
  arrived: RecordedPush,
  known: BranchState,
  recorded: readonly RecordedPush[],
): PushPlace | null {
  if (arrived.oldSha === known.headSha && arrived.newSha !== known.headSha) {
    // What comes next may be its webhook, and not a push that goes on from there.
    const chain = known.chain === "whole" ? "broken" : known.chain;
    const branch = stateAt(arrived, known.origin, chain);
    return { kind: "moved", branch, recovered: [], sequences: new Map() };
  }
  const told = distinctPushes(recorded).findLast(({ newSha }) => newSha === arrived.newSha);
  return told === undefined ? null : { kind: "repeated", push: told, branch: known };
}

/**
 * Whether a push may be the webhook of one that a sweep found. Not when a webhook is known that says otherwise; and one that
 * goes on from the head rather is another push, after some time.
 */
function couldBeIts(
  push: BranchPush,
  found: RecordedPush,
  leavesTheHead: boolean,
  recorded: readonly RecordedPush[],
): boolean {
  if (leavesTheHead && !found.isAwaited) return false;
  const webhook = recorded.find((other) => !isOfSweep(other) && other.sequence === found.sequence);
  return webhook === undefined || webhook.oldSha === push.oldSha;
}

/**
 * The sweep's push of which this one is the webhook that came after all: it came to the same commit, and no webhook is known
 * as its own. Rather the one that left the same commit; else the first.
 */
function findUnclaimed(push: BranchPush, recorded: readonly RecordedPush[]): RecordedPush | null {
  const unclaimed = distinctPushes(recorded).filter(
    (found) => isOfSweep(found) && found.newSha === push.newSha && !isOfSweep(push),
  );
  return unclaimed.find(({ oldSha }) => oldSha === push.oldSha) ?? unclaimed[0] ?? null;
}

/** Gaps that are left when the push is the webhook of the one that was found. */
function countGapsAs(found: RecordedPush, push: BranchPush, recorded: readonly RecordedPush[]): number {
  const { sequence, branchArrival, isToldAgain, isAwaited } = found;
  const asFound = { ...push, sequence, branchArrival, isToldAgain, isAwaited };
  return arrangePushes([...recorded, asFound], null, push).gaps;
}
