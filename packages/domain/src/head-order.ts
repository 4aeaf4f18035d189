/** The order in which pull requests came to their heads, where pushes do not tell it yet (rule 14). */
import { compareTimes, isSameSha } from "./pull-request.ts";

/** Where a branch was, by a report of an open pull request of it. */
export interface HeadReport {
  /** 7 to 40 hex digits. */
  readonly sha: string;
  /** RFC 3339, of that state of the pull request (`updated_on`): reports may be told in any order. */
  readonly updatedOn: string;
}

/** A push that came to a commit, or one that went on from it. */
export interface HeadPush {
  /** 7 to 40 hex digits. */
  readonly sha: string;
  /** Among the pushes of the branch. */
  readonly position: number;
}

/** A run of a commit whose push is known. */
export interface HeadRun {
  /** 7 to 40 hex digits. */
  readonly commitSha: string;
  /** Among the pushes of the branch. */
  readonly position: number;
  /**
   * RFC 3339: the latest `updated_on` of the reports that it stood for, because they made it, or found it there; null: of
   * none, or of none that matters.
   */
  readonly reportedOn: string | null;
}

/** What tells of the heads of a branch's pull requests. */
export interface HeadHistory {
  /** At least the latest of each head. */
  readonly reports: readonly HeadReport[];
  /** The last push that went on from each of these heads, where one is known. */
  readonly leavings: readonly HeadPush[];
  /** The last push that came to each of these heads, where one is known. */
  readonly arrivals: readonly HeadPush[];
}

/**
 * Whether a commit comes before a head whose own push is not known. By the last report of each, so that one that came back
 * is none of before; where there are no reports of both, by position. What a push brought that goes on from the head comes
 * after it, unless it has a lower position, and was reported before.
 */
export function comesBeforeHead(
  commit: { readonly commitSha: string; readonly position: number },
  head: { readonly sha: string; readonly position: number },
  { reports, leavings }: HeadHistory,
): boolean {
  const isBefore = commit.position < head.position;
  const reported = compareReports(reports, commit.commitSha, head.sha);
  const isLeft = leavings.some(
    ({ sha, position }) => position <= commit.position && isSameSha(sha, head.sha),
  );
  if (isLeft) return isBefore && reported < 0;
  return reported === 0 ? isBefore : reported < 0;
}

/**
 * Where the run of a head stands. When it stood for a report that no report of another head comes after, that head was
 * the last: then it stands where the branch last came to it, if nothing left it since. That push may be told after the
 * report, and have run nothing.
 */
export function positionOfRun(
  { commitSha, position, reportedOn }: HeadRun,
  { reports, leavings, arrivals }: HeadHistory,
): number {
  if (reportedOn === null) return position;
  const isOvertaken = reports.some(
    ({ sha, updatedOn }) => !isSameSha(sha, commitSha) && compareTimes(updatedOn, reportedOn) > 0,
  );
  const arrival = lastPosition(arrivals, commitSha);
  return isOvertaken || lastPosition(leavings, commitSha) > arrival ? position : Math.max(position, arrival);
}

/** -Infinity when there is none. */
function lastPosition(pushes: readonly HeadPush[], commitSha: string): number {
  return Math.max(
    ...pushes.filter(({ sha }) => isSameSha(sha, commitSha)).map(({ position }) => position),
    -Infinity,
  );
}

/** Negative when the first was last the head before the second was; zero when that is not known. */
function compareReports(reports: readonly HeadReport[], a: string, b: string): number {
  const [lastOfA, lastOfB] = [lastReport(reports, a), lastReport(reports, b)];
  return lastOfA === null || lastOfB === null ? 0 : compareTimes(lastOfA, lastOfB);
}

/** When the commit was last the head; null when no report says that it was. */
function lastReport(reports: readonly HeadReport[], commitSha: string): string | null {
  return reports
    .filter(({ sha }) => isSameSha(sha, commitSha))
    .reduce<string | null>(
      (last, { updatedOn }) => (last !== null && compareTimes(last, updatedOn) >= 0 ? last : updatedOn),
      null,
    );
}
