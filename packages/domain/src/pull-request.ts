/** A pull request as it is known, and how reports of it move that (rules 11, 13). */
import type { PullRequestAction, PullRequestEvent, PullRequestFacts, PullRequestReview } from "./event.ts";

/** A pull request as it is stored. */
export interface PullRequestState extends Omit<PullRequestFacts, "reviews"> {
  readonly reviews: readonly PullRequestReview[];
  /** The sequence of the event that first told the present head: a head that comes back arrives anew. */
  readonly headArrival: number;
}

/** A report of a pull request, against what was stored. */
export interface PullRequestMove {
  /** What is to be stored: what was, when the report is older than that. */
  readonly state: PullRequestState;
  /** `updated` refined; unchanged when nothing was stored to compare with, or when the report is older than that. */
  readonly action: PullRequestAction;
}

/**
 * Moves a pull request by a report of it, only forward in `updatedOn` (rule 13). `sequence`: the event's. Hashes of
 * different lengths are the same commit when one begins with the other; the longer one is kept.
 */
export function movePullRequest(
  before: PullRequestState | null,
  event: Pick<PullRequestEvent, "action" | "pullRequest">,
  sequence: number,
): PullRequestMove {
  void before;
  void event;
  void sequence;
  throw new Error("not written yet");
}

/** Whether two hashes of 7 to 40 digits can be the same commit: one begins with the other. */
export function isSameSha(a: string | null, b: string | null): boolean {
  if (a === null || b === null) return a === b;
  return a.startsWith(b) || b.startsWith(a);
}
