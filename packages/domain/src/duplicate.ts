import type { BranchState } from "./branch.ts";

/** A trigger as far as the question matters whether a new one would repeat it. */
export interface TriggerArrival {
  readonly commitSha: string;
  readonly repositoryId: string;
  /** The ref that came to the commit. */
  readonly refName: string;
  /** Its arrival there. */
  readonly branchArrival: number;
}

/**
 * Whether a trigger still stands for its commit, so that the same commit and run type on the same target would be a
 * duplicate (rule 26): the same arrival, or a trigger of another branch that has not moved since. A branch that went away
 * and came back to the commit arrived anew, and runs again.
 */
export function isDuplicate(
  earlier: TriggerArrival,
  candidate: TriggerArrival,
  earlierBranch: Pick<BranchState, "headSha" | "arrivalSequence"> | null,
): boolean {
  if (earlier.commitSha !== candidate.commitSha) return false;
  if (earlier.branchArrival === candidate.branchArrival) return true;
  if (earlier.repositoryId === candidate.repositoryId && earlier.refName === candidate.refName) return false;
  return (
    earlierBranch !== null &&
    earlierBranch.headSha === earlier.commitSha &&
    earlierBranch.arrivalSequence === earlier.branchArrival
  );
}
