import type { BranchState } from "./branch.ts";

/** A trigger as far as the question matters whether a new one would repeat it. */
export interface TriggerArrival {
  readonly commitSha: string;
  /** The repository that `refName` is a branch of. */
  readonly repositoryId: string;
  /** The ref that came to the commit. */
  readonly refName: string;
  /** Its arrival there: that of its push, else the head arrival of the pull request that told of it. */
  readonly branchArrival: number;
  /** A pull request told of the commit, and its push is not known yet; absent: it is. */
  readonly awaitsPush?: boolean;
}

/**
 * Whether a trigger still stands for its commit, so that the same commit and run type on the same target would be a
 * duplicate (rule 26): the same arrival, or a trigger of another branch that has not moved since. A branch that went away
 * and came back to the commit arrived anew, and runs again.
 *
 * `earlierBranch`: where the earlier one's branch is; for one that awaits its push, where a pull request says that it is, if
 * one does with the arrival of the trigger.
 */
export function isDuplicate(
  earlier: TriggerArrival,
  candidate: TriggerArrival,
  earlierBranch: Pick<BranchState, "headSha" | "arrivalSequence"> | null,
): boolean {
  if (earlier.commitSha !== candidate.commitSha) return false;
  if (earlier.branchArrival === candidate.branchArrival) return true;
  // Two pull requests tell of one branch, each with an arrival of its own.
  const isComparable = !isSameBranch(earlier, candidate) || earlier.awaitsPush === true;
  return (
    isComparable &&
    earlierBranch !== null &&
    earlierBranch.headSha === earlier.commitSha &&
    earlierBranch.arrivalSequence === earlier.branchArrival
  );
}

function isSameBranch(a: TriggerArrival, b: TriggerArrival): boolean {
  return a.repositoryId === b.repositoryId && a.refName === b.refName;
}
