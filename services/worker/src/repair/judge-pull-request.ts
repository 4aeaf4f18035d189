import type { PullRequestKey } from "@sluice/bitbucket/normalise-pull-request";
import type { PullRequestFacts } from "@sluice/domain/event";
import { compareTimes, isSameSha } from "@sluice/domain/pull-request";
import type { KnownPullRequest } from "@sluice/store/open-pull-requests";

/**
 * What a look at a pull request means (rule 34):
 * - `same`: nothing happened to it that would run or end anything, as far as a sweep can see;
 * - `suspected`: something did, so lately that the webhook may still be on its way;
 * - `missed`: a webhook with this key had time enough to come.
 */
export type PullRequestVerdict =
  | { readonly kind: "same" }
  | { readonly kind: "suspected"; readonly lookAgainInMs: number }
  | { readonly kind: "missed"; readonly eventKey: PullRequestKey };

/**
 * Judges what Bitbucket says of a pull request against what is stored. No memory of earlier looks is needed: `updatedOn` says
 * how long the webhook has had.
 *
 * A later time alone means nothing: comments and approvals bring it. So does a destination that only moved on: the merge
 * base, and with it what the pull request changes, stays.
 */
export function judgePullRequest(input: {
  readonly seen: PullRequestFacts;
  /** Null: nobody ever told of it. */
  readonly known: KnownPullRequest | null;
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly graceMs: number;
}): PullRequestVerdict {
  const { seen, known, now, graceMs } = input;
  if (known !== null && !isNews(seen, known)) return { kind: "same" };
  const ageMs = now - Date.parse(seen.updatedOn);
  if (ageMs < graceMs) return { kind: "suspected", lookAgainInMs: graceMs - ageMs };
  return { kind: "missed", eventKey: keyOf(seen, known) };
}

function isNews(seen: PullRequestFacts, known: KnownPullRequest): boolean {
  const later = compareTimes(seen.updatedOn, known.updatedOn);
  // Of two reports of one time, the one that it is over is the later (`movePullRequest`).
  if (seen.state !== known.state) return later > 0 || (later === 0 && seen.state !== "OPEN");
  return (
    later > 0 &&
    (!isSameSha(seen.source.sha, known.source.sha) ||
      seen.source.branch !== known.source.branch ||
      seen.destination.branch !== known.destination.branch)
  );
}

function keyOf({ state }: PullRequestFacts, known: KnownPullRequest | null): PullRequestKey {
  switch (state) {
    case "MERGED":
      return "pullrequest:fulfilled";
    case "DECLINED":
    case "SUPERSEDED":
      return "pullrequest:rejected";
    default:
      return known === null ? "pullrequest:created" : "pullrequest:updated";
  }
}
