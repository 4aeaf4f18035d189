import { expect, test } from "vitest";

import { isApproved } from "./approval.ts";
import type { Actor, PullRequestReview } from "./event.ts";

const AUTHOR: Actor = { uuid: "{ada}", displayName: "Ada", kind: "user" };
const review = (userUuid: string | null, state: PullRequestReview["state"] = "approved") => ({
  userUuid,
  state,
  participatedOn: null,
});

test.each<[string, Actor | null, readonly PullRequestReview[], boolean]>([
  ["one approval of somebody else", AUTHOR, [review("{bob}")], true],
  ["one among other verdicts", AUTHOR, [review("{cy}", "changes_requested"), review("{bob}")], true],
  ["nobody's review", AUTHOR, [], false],
  ["the author's own approval", AUTHOR, [review("{ada}")], false],
  ["a request for changes", AUTHOR, [review("{bob}", "changes_requested")], false],
  ["a participant without a verdict", AUTHOR, [review("{bob}", "none")], false],
  ["an approval of an account without a uuid", AUTHOR, [review(null)], false],
  ["an approval where the author is not known", null, [review("{bob}")], false],
  ["an approval where the author has no uuid", { ...AUTHOR, uuid: null }, [review("{bob}")], false],
])("approved is what somebody else approves (rule 13): %s", (_, author, reviews, approved) => {
  expect(isApproved({ author, reviews })).toBe(approved);
});
