import type { BranchState } from "./branch.ts";

/** A trigger as far as the question matters whether a new one would repeat it. */
export interface TriggerArrival {
  readonly commitSha: string;
  /** The event by which its branch came to the commit. */
  readonly branchArrival: number;
}

/**
 * Whether a trigger still stands for its commit, so that the same commit and run type on the same target would be a
 * duplicate (rule 26): the same arrival, or a trigger whose branch has not moved since. A branch that went away and
 * came back to the commit arrived anew, and runs again.
 */
export function isDuplicate(
  earlier: TriggerArrival,
  candidate: TriggerArrival,
  earlierBranch: BranchState | null,
): boolean {
  if (earlier.commitSha !== candidate.commitSha) return false;
  if (earlier.branchArrival === candidate.branchArrival) return true;
  return (
    earlierBranch !== null &&
    earlierBranch.headSha === earlier.commitSha &&
    earlierBranch.arrivalSequence === earlier.branchArrival
  );
}
