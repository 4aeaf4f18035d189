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
