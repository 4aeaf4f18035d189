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
  /** `updated` refined; unchanged when nothing was stored to compare with. */
  readonly action: PullRequestAction;
}

/**
 * Moves a pull request by a report of it, only forward in `updatedOn` (rule 13). `sequence`: the event's. Of two reports of
 * one time, the one that says that it is over is the later, then the one in which somebody took part later, then the one
 * that was told later.
 */
export function movePullRequest(
  before: PullRequestState | null,
  { action, pullRequest }: Pick<PullRequestEvent, "action" | "pullRequest">,
  sequence: number,
): PullRequestMove {
  if (before === null) {
    return { action, state: { ...pullRequest, reviews: pullRequest.reviews ?? [], headArrival: sequence } };
  }
  const sourceSha = longerSha(before.source.sha, pullRequest.source.sha);
  const isSameHead = sourceSha !== undefined && before.source.branch === pullRequest.source.branch;
  const isSameBase =
    isSameSha(before.destination.sha, pullRequest.destination.sha) &&
    before.destination.branch === pullRequest.destination.branch;
  // What a late one changed is not known any more: where it moved the head, that is the one to look at.
  const isNews = compareTimes(pullRequest.updatedOn, before.updatedOn) > 0;
  const isEdit = isNews && isSameHead && isSameBase;
  const refined = action === "updated" ? (isEdit ? "edited" : "synchronize") : action;
  if (isOlder(pullRequest, before)) return { action: refined, state: before };
  const state: PullRequestState = {
    ...pullRequest,
    // A body that leaves these out says nothing of them.
    reviews: pullRequest.reviews ?? before.reviews,
    author: pullRequest.author ?? before.author,
    isDraft: pullRequest.isDraft ?? before.isDraft,
    url: pullRequest.url ?? before.url,
    createdOn: pullRequest.createdOn ?? before.createdOn,
    mergeSha: longerSha(before.mergeSha, pullRequest.mergeSha) ?? pullRequest.mergeSha,
    source: { ...pullRequest.source, sha: sourceSha ?? pullRequest.source.sha },
    headArrival: isSameHead ? before.headArrival : sequence,
  };
  return { action: refined, state };
}

/** Whether two hashes of 7 to 40 digits can be the same commit: one begins with the other. */
export function isSameSha(a: string | null, b: string | null): boolean {
  return longerSha(a, b) !== undefined;
}

/** The longer of two hashes of the same commit; undefined when they are of two. */
function longerSha(a: string | null, b: string | null): string | null | undefined {
  if (a === null || b === null) return a === b ? a : undefined;
  if (a.startsWith(b)) return a;
  return b.startsWith(a) ? b : undefined;
}

function isOlder(report: PullRequestFacts, stored: PullRequestState): boolean {
  const difference =
    compareTimes(report.updatedOn, stored.updatedOn) ||
    Number(report.state !== "OPEN") - Number(stored.state !== "OPEN") ||
    (report.reviews === null ? 0 : compareTimes(lastReview(report.reviews), lastReview(stored.reviews)));
  return difference < 0;
}

function lastReview(reviews: readonly PullRequestReview[]): string {
  return reviews
    .map(({ participatedOn }) => participatedOn ?? EARLIEST)
    .reduce((a, b) => (compareTimes(a, b) < 0 ? b : a), EARLIEST);
}

const EARLIEST = "0001-01-01T00:00:00Z";

/** Of RFC 3339 times, to the last digit: `Date` knows milliseconds only. One that cannot be read is before all others. */
export function compareTimes(a: string, b: string): number {
  const [secondsA, secondsB] = [secondsOf(a), secondsOf(b)];
  if (secondsA !== secondsB) return secondsA < secondsB ? -1 : 1;
  return nanosecondsOf(a) - nanosecondsOf(b);
}

function secondsOf(time: string): number {
  const milliseconds = Date.parse(time);
  return Number.isNaN(milliseconds) ? -Infinity : Math.floor(milliseconds / 1000);
}

function nanosecondsOf(time: string): number {
  return Number((/\.(\d{1,9})/.exec(time)?.[1] ?? "0").padEnd(9, "0"));
}
