/** Where the commit of a pull request event belongs on its branch, and whether it is still the one to run. */
import type { IgnoreDecision } from "@sluice/domain/decide";
import { decideOldNews } from "@sluice/domain/decide-pull-request";
import type { PullRequestEvent } from "@sluice/domain/event";
import { movePullRequest, type PullRequestState } from "@sluice/domain/pull-request";
import type { Database } from "@sluice/store/client";
import {
  branchCommitKey,
  findArrivals,
  type BranchCommit,
  type CommitArrival,
} from "@sluice/store/commit-arrivals";
import { findPullRequests, pullRequestKey } from "@sluice/store/pull-requests";
import { allAnswered } from "@sluice/store/transaction";
import type { NewTrigger } from "@sluice/store/triggers";

/** A pull request event, and the commit that is to run for it. */
export interface Report {
  readonly event: PullRequestEvent;
  readonly repositoryId: string | null;
  /** Null when the source is gone. */
  readonly sourceRepositoryId: string | null;
  /** 40 hex digits; null when nothing can run. */
  readonly commitSha: string | null;
  /** Of the event. */
  readonly sequence: number;
  /** A person asked for the run: it is nobody's duplicate (rule 24). */
  readonly isForced: boolean;
}

/** What is known of the pull requests of reports, and of the pushes to their commits. */
export interface ReportContext {
  readonly states: ReadonlyMap<string, PullRequestState>;
  readonly arrivals: ReadonlyMap<string, CommitArrival>;
}

/** Of no report. */
export const NO_REPORTS: ReportContext = { states: new Map(), arrivals: new Map() };

/** What a trigger has of its event. */
export type TriggerPlace = Pick<
  NewTrigger,
  | "repositoryId"
  | "sourceRepositoryId"
  | "refName"
  | "commitSha"
  | "baseSha"
  | "branchArrival"
  | "position"
  | "awaitsPush"
>;

/** Old news, or where on its branch the commit belongs. */
export type ReportPlace =
  | { readonly kind: "old"; readonly decision: IgnoreDecision }
  | { readonly kind: "placed"; readonly place: TriggerPlace };

/** What `placeReport` has to know, in one flight; without a report nothing is sent. The caller holds the locks. */
export async function findReportContext(tx: Database, reports: readonly Report[]): Promise<ReportContext> {
  const [states, arrivals] = await allAnswered([
    findPullRequests(
      tx,
      reports.flatMap(({ event, repositoryId }) =>
        repositoryId === null ? [] : [{ repositoryId, number: event.pullRequest.number }],
      ),
    ),
    findArrivals(
      tx,
      reports.flatMap((report) => commitOf(report) ?? []),
    ),
  ]);
  return { states, arrivals };
}

/**
 * Places the run of a report by what is stored under the lock: the pull request may have moved since the event was looked at
 * (decision 8). With the arrival of the push to that commit, where one is recorded; else with that of the pull request's
 * head, and it awaits its push. One that a person asked for comes after everything.
 */
export function placeReport(report: Report, { states, arrivals }: ReportContext): ReportPlace {
  const { event, repositoryId, sourceRepositoryId, commitSha, sequence, isForced } = report;
  const { number, source } = event.pullRequest;
  if (repositoryId === null) throw new Error(`pull request ${String(number)} has a run and no repository`);
  // What is not stored any more was closed and is gone: the report says itself how things are (decision 6).
  const state =
    states.get(pullRequestKey({ repositoryId, number })) ?? movePullRequest(null, event, sequence).state;
  const ofCommit = { ...event, pullRequest: { ...event.pullRequest, source: { ...source, sha: commitSha } } };
  const old = decideOldNews(ofCommit, state);
  if (old !== null) return { kind: "old", decision: old };
  if (sourceRepositoryId === null || commitSha === null) {
    throw new Error(`pull request ${String(number)} has a run and no commit`);
  }
  const commit = commitOf(report);
  const arrival = commit === null ? undefined : arrivals.get(branchCommitKey(commit));
  const byPush = isForced ? { branchArrival: sequence, position: sequence } : arrival;
  const place = {
    repositoryId,
    sourceRepositoryId,
    refName: source.branch,
    commitSha,
    baseSha: null,
    ...(byPush ?? { branchArrival: state.headArrival, position: state.headArrival }),
    awaitsPush: byPush === undefined,
  };
  return { kind: "placed", place };
}

/** The commit whose push is looked for; null for a fork's, whose pushes concern the fork's own targets (rule 11). */
function commitOf({ event, repositoryId, sourceRepositoryId, commitSha }: Report): BranchCommit | null {
  if (repositoryId === null || sourceRepositoryId !== repositoryId || commitSha === null) return null;
  return { repositoryId, name: event.pullRequest.source.branch, commitSha };
}
