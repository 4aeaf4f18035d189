import type { PullRequestState } from "./pull-request.ts";

/**
 * Whether somebody other than the author approves of a pull request now (rule 13). An account without a uuid counts for
 * nobody, and where the author has none no approval can be shown to be somebody else's.
 */
export function isApproved({ author, reviews }: Pick<PullRequestState, "author" | "reviews">): boolean {
  const authorUuid = author?.uuid ?? null;
  return (
    authorUuid !== null &&
    reviews.some(
      ({ state, userUuid }) => state === "approved" && userUuid !== null && userUuid !== authorUuid,
    )
  );
}
