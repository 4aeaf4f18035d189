/** What is known of a branch: its head, and the event by which it came there. */
export interface BranchState {
  /** Null when the branch is gone. */
  readonly headSha: string | null;
  /** Sequence number of the event that brought the branch to this head: a return to an earlier commit is a new arrival. */
  readonly arrivalSequence: number;
}

/**
 * The branch after an event that reports `newSha` as its head (null: deleted). A head that is already known keeps its
 * arrival, so that a second report of the same move is not a second arrival (rule 26).
 */
export function moveBranch(
  known: BranchState | null,
  report: { readonly newSha: string | null; readonly sequence: number },
): BranchState {
  if (known !== null && known.headSha === report.newSha) return known;
  return { headSha: report.newSha, arrivalSequence: report.sequence };
}

/** A push of a branch that is recorded already. */
export interface RecordedPush {
  readonly sequence: number;
  readonly oldSha: string | null;
  readonly newSha: string | null;
  /** Null for a push that deleted the branch before it was ever seen. */
  readonly branchArrival: number | null;
}

/**
 * Where a push belongs in the history of its branch:
 * - `next`: it moves the branch;
 * - `repeated`: it says what a recorded push said, while the branch has moved on (a second hook, a manual resend);
 * - `late`: it left off where a recorded push began, and belongs before that one.
 */
export type PushPlace =
  | { readonly kind: "next" }
  | { readonly kind: "repeated"; readonly push: RecordedPush }
  | { readonly kind: "late"; readonly before: RecordedPush };

/**
 * Pushes form a chain, old to new; deliveries come late, twice and out of order (rule 14). A push that leaves the known
 * head continues the chain, also when it goes back to an earlier commit. `recorded`: pushes of the branch that left
 * `newSha`, or that moved it as this one did, the newest first. A gap that these do not close is taken for a move.
 */
export function placePush(
  push: { readonly oldSha: string | null; readonly newSha: string | null },
  known: BranchState | null,
  recorded: readonly RecordedPush[],
): PushPlace {
  if (!isOutOfChain(push, known)) return { kind: "next" };
  const before = recorded.find(({ oldSha }) => oldSha === push.newSha);
  if (before === undefined) return { kind: "next" };
  const repeated = recorded.find(
    ({ oldSha, newSha, branchArrival }) =>
      oldSha === push.oldSha && newSha === push.newSha && branchArrival !== null,
  );
  return repeated === undefined ? { kind: "late", before } : { kind: "repeated", push: repeated };
}

/** Whether a push neither leaves the known head nor reports it again: only then has its place to be looked for. */
export function isOutOfChain<Push extends { readonly oldSha: string | null; readonly newSha: string | null }>(
  push: Push,
  known: BranchState | null,
): push is Push & { readonly oldSha: string; readonly newSha: string } {
  if (known === null || known.headSha === null || push.oldSha === null || push.newSha === null) return false;
  return push.oldSha !== known.headSha && push.newSha !== known.headSha;
}
