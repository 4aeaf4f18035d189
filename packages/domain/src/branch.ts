/** The history of a branch, from pushes that come late, twice and out of order (rule 14). */
import { orderMoves, type Move } from "./branch-order.ts";
import type { PushEvent } from "./event.ts";

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
  readonly chain: "whole" | "broken" | "unsure";
}

/** The `hookId` of a push that no hook told: a sweep found the branch at another head than was known (rule 34). */
export const SWEEP_HOOK = "sweep";

/** A push to a branch, and by whom it was told. */
export interface BranchPush extends Pick<PushEvent, "oldSha" | "newSha" | "change"> {
  /** RFC 3339: the date of the commit at `newSha`, as its author's machine had it. */
  readonly committedAt: string | null;
  /** The hook that told it: each hook tells each push once. `SWEEP_HOOK`: several pushes may lie between its two ends. */
  readonly hookId: string | null;
  /** How often that hook has tried. A resent request is not a second push. */
  readonly attempt: number;
  /** Place in the order of the repository; a push that is said twice has one place. */
  readonly sequence: number;
}

/** A push that is recorded already. */
export interface RecordedPush extends BranchPush {
  /** What tells this arrival of the branch from others at the same commit; unlike `sequence` it does not change. */
  readonly branchArrival: number;
  /**
   * The same hook had told the same push: a report too many, or a push that goes there again, of which the way back has
   * still to be told. Counts as the former until the latter is known.
   */
  readonly isToldAgain: boolean;
  /** A sweep found it so lately that its webhook may well still come. */
  readonly isAwaited: boolean;
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
export interface BranchMove {
  readonly branch: BranchState;
  /** Pushes that were told again and turned out to be pushes of their own: each is an arrival, by its own sequence. */
  readonly recovered: readonly RecordedPush[];
  /** Old to new: pushes that change their places, the recovered ones included. To be done after those are recovered. */
  readonly sequences: ReadonlyMap<number, number>;
}

/** Where a branch is that is not there. */
const ABSENT = "absent";

/** As many pushes as a late one is looked for among, unless it touches one that is older. */
const WINDOW = 12;

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
  const before = arrange(recorded, null, push);
  const after = arrange([...recorded, arrived], null, push);
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
  const { last, origin, recovered, sequences, chain } = arrange(
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

function originOf({ oldSha, change }: BranchPush): string | null {
  return change === "created" ? ABSENT : oldSha;
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
  const pushes = distinct(same);
  const toldByOther = pushes[told];
  if (toldByOther !== undefined) return { push: toldByOther, isOfOtherHook: true };
  const last = pushes.at(-1);
  return last === undefined ? null : { push: last, isOfOtherHook: false };
}

function tellerOf({ hookId, attempt }: BranchPush): string {
  return `${hookId ?? ""} ${attempt > 1 ? "again" : "first"}`;
}

function isOfSweep({ hookId }: BranchPush): boolean {
  return hookId === SWEEP_HOOK;
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
  const told = distinct(recorded).findLast(({ newSha }) => newSha === arrived.newSha);
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
  const unclaimed = distinct(recorded).filter(
    (found) => isOfSweep(found) && found.newSha === push.newSha && !isOfSweep(push),
  );
  return unclaimed.find(({ oldSha }) => oldSha === push.oldSha) ?? unclaimed[0] ?? null;
}

/** Gaps that are left when the push is the webhook of the one that was found. */
function countGapsAs(found: RecordedPush, push: BranchPush, recorded: readonly RecordedPush[]): number {
  const { sequence, branchArrival, isToldAgain, isAwaited } = found;
  const asFound = { ...push, sequence, branchArrival, isToldAgain, isAwaited };
  return arrange([...recorded, asFound], null, push).gaps;
}

/**
 * The pushes without those that are told again; each place once, in their order. Of a push that a sweep had found, what its
 * webhook says.
 */
function distinct(pushes: readonly RecordedPush[]): RecordedPush[] {
  const own = pushes.filter(({ isToldAgain }) => !isToldAgain);
  const webhooksLast = [...own.filter(isOfSweep), ...own.filter((push) => !isOfSweep(push))];
  const bySequence = new Map(webhooksLast.map((push) => [push.sequence, push]));
  return [...bySequence.values()].toSorted((a, b) => a.sequence - b.sequence);
}

interface Arrangement extends Pick<BranchMove, "recovered" | "sequences"> {
  /** What the first push left, when all that are recorded were put in order. */
  readonly origin: string | null;
  readonly last: RecordedPush | null;
  readonly gaps: number;
  readonly isCircle: boolean;
  /** Whether a push that was told again would fit in as another one, and lead to another head. */
  readonly couldEndElsewhere: boolean;
  readonly chain: BranchState["chain"];
}

/** As many pushes that were told again as are looked at, the latest first. */
const MAX_TOLD_AGAIN = 4;

/** Arranges the pushes, with those told again that fit in: a hook tells each push once. */
function arrange(recorded: readonly RecordedPush[], head: string | null, late?: BranchPush): Arrangement {
  const toldAgain = recorded
    .filter(({ isToldAgain }) => isToldAgain)
    .toSorted((a, b) => b.sequence - a.sequence)
    .slice(0, MAX_TOLD_AGAIN);
  let pushes = distinct(recorded);
  let best = orderPushes(pushes, head, late);
  const recovered: RecordedPush[] = [];
  const fitsIn = (longer: OrderedPushes) => {
    if (longer.gaps !== best.gaps) return longer.gaps < best.gaps;
    if (head !== null) return endsAt(longer, head) || !endsAt(best, head);
    return !best.isCircle && longer.last?.newSha === best.last?.newSha;
  };
  for (let left = toldAgain, found = true; found;) {
    found = false;
    for (const again of left) {
      const own = { ...again, isToldAgain: false, branchArrival: again.sequence };
      const longer = distinct([...pushes, own]);
      const ordered = orderPushes(longer, head, late);
      if (!fitsIn(ordered)) continue;
      [pushes, best, found] = [longer, ordered, true];
      recovered.push(own);
      left = left.filter((other) => other !== again);
    }
  }
  const others = toldAgain.filter(({ sequence }) => !recovered.some((own) => own.sequence === sequence));
  const couldEndElsewhere = others.some((again) => {
    const { gaps, last } = orderPushes(distinct([...pushes, { ...again, isToldAgain: false }]), null, late);
    return gaps <= best.gaps && last?.newSha !== best.last?.newSha;
  });
  const isAwaiting = pushes.some((push) => isOfSweep(push) && push.isAwaited);
  const isWhole = best.gaps === 0 && others.length === 0 && !isAwaiting;
  const chain = isWhole ? "whole" : best.gaps > 0 || couldEndElsewhere ? "unsure" : "broken";
  return { ...best, recovered, couldEndElsewhere, chain };
}

function endsAt({ last }: OrderedPushes, head: string): boolean {
  return last !== null && toMove(last).to === head;
}

type OrderedPushes = Pick<Arrangement, "origin" | "last" | "gaps" | "isCircle" | "sequences">;

/** The pushes take each other's places: the numbers stay the same. */
function orderPushes(all: readonly RecordedPush[], head: string | null, late?: BranchPush): OrderedPushes {
  const from = startOfWindow(all, late);
  const window = all.slice(from);
  const start = all[from - 1];
  const { order, gaps, isCircle } = orderMoves(window.map(toMove), {
    start: start === undefined ? null : toMove(start).to,
    head,
  });
  const sequences = new Map<number, number>();
  for (const [place, index] of order.entries()) {
    const push = window[index];
    const sequence = window[place]?.sequence;
    if (push !== undefined && sequence !== undefined && push.sequence !== sequence) {
      sequences.set(push.sequence, sequence);
    }
  }
  const [first, last] = [window[order[0] ?? -1], window[order.at(-1) ?? -1]];
  const origin = start === undefined && first !== undefined ? originOf(first) : null;
  // A longer one was not told from its middle.
  const isShortCircle = gaps === 0 && isCircle && all.length <= WINDOW;
  return { origin, last: last ?? null, gaps, isCircle: isShortCircle, sequences };
}

/** The latest pushes, and older ones back to the first that a late one may stand beside. */
function startOfWindow(all: readonly RecordedPush[], late: BranchPush | undefined): number {
  const recent = Math.max(0, all.length - WINDOW);
  if (late === undefined) return recent;
  const { from, to } = toMove(late);
  const beside = all.findIndex((push) => toMove(push).to === from || toMove(push).from === to);
  return beside === -1 ? recent : Math.min(recent, beside);
}

function toMove(push: BranchPush): Move {
  const { newSha, committedAt } = push;
  return {
    from: originOf(push) ?? `unknown before ${String(push.sequence)}`,
    to: newSha ?? ABSENT,
    madeAt: newSha === null ? null : committedAt,
  };
}
