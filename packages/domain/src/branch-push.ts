/** A push to a branch, as far as its place among the others is concerned (rule 14). */
import type { Move } from "./branch-order.ts";
import type { PushEvent } from "./event.ts";

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

/** Where a branch is that is not there. */
export const ABSENT = "absent";

/** Where a push began; null when it did not say. */
export function originOf({ oldSha, change }: BranchPush): string | null {
  return change === "created" ? ABSENT : oldSha;
}

export function isOfSweep({ hookId }: BranchPush): boolean {
  return hookId === SWEEP_HOOK;
}

/**
 * The pushes without those that are told again; each place once, in their order. Of a push that a sweep had found, what its
 * webhook says.
 */
export function distinctPushes(pushes: readonly RecordedPush[]): RecordedPush[] {
  const own = pushes.filter(({ isToldAgain }) => !isToldAgain);
  const webhooksLast = [...own.filter(isOfSweep), ...own.filter((push) => !isOfSweep(push))];
  const bySequence = new Map(webhooksLast.map((push) => [push.sequence, push]));
  return [...bySequence.values()].toSorted((a, b) => a.sequence - b.sequence);
}

/** The push as `orderMoves` takes it. */
export function toMove(push: BranchPush): Move {
  const { newSha, committedAt } = push;
  return {
    from: originOf(push) ?? `unknown before ${String(push.sequence)}`,
    to: newSha ?? ABSENT,
    madeAt: newSha === null ? null : committedAt,
  };
}
