/** Pull requests as people see them: what is known by now. Times are RFC 3339. */
import type { Reach } from "@sluice/domain/access";
import type { Actor, PullRequestReview } from "@sluice/domain/event";

import type { Database } from "./client.ts";
import { isPullRequestReached } from "./event-reach.ts";
import type { PullRequestName } from "./pull-requests.ts";
import { toRfc3339 } from "./rfc3339.ts";

export interface PullRequestRecord extends PullRequestName {
  /** `workspace/slug` of the destination. */
  readonly repository: string;
  readonly title: string;
  /** `OPEN`, `MERGED`, `DECLINED`, `SUPERSEDED`, or a word of Bitbucket's future. */
  readonly state: string;
  /** Null when Bitbucket did not say. */
  readonly isDraft: boolean | null;
  readonly author: Actor | null;
  readonly url: string | null;
  readonly createdOn: string | null;
  readonly updatedOn: string;
  /** `workspace/slug`; null: the fork is gone. */
  readonly sourceRepository: string | null;
  readonly sourceBranch: string;
  /** 7 to 40 hex digits; null when the branch or the fork is gone. */
  readonly sourceSha: string | null;
  readonly destinationBranch: string;
  readonly destinationSha: string | null;
  readonly mergeSha: string | null;
  readonly reviews: readonly PullRequestReview[];
}

/** A commit that is known to be part of a pull request. */
export interface LinkedCommit {
  /** 40 hex digits. */
  readonly sha: string;
  /** `event`: an event named it as its head or merge; `bitbucket`: asked for it; `branch`: by its branch. */
  readonly source: "event" | "bitbucket" | "branch";
  readonly recordedAt: string;
}

/** Which pull requests are wanted; what is left out does not matter. */
export interface PullRequestFilter {
  readonly repositoryId?: string | undefined;
  /** In any case. */
  readonly state?: string | undefined;
  readonly sourceBranch?: string | undefined;
}

/**
 * Pull requests within reach, repository by repository, the highest number of each first; `after`: the last one of the page
 * before. By the primary key from its end.
 */
export async function listPullRequestRecords(
  db: Database,
  page: {
    readonly reach: Reach;
    readonly filter: PullRequestFilter;
    readonly limit: number;
    readonly after: PullRequestName | null;
  },
): Promise<PullRequestRecord[]> {
  const { sql } = db;
  const { reach, limit, after } = page;
  const { repositoryId, state, sourceBranch } = page.filter;
  const all = sql`true`;
  const rows = await sql<PullRequestRecord[]>`
    ${selectPullRequests(db)}
    WHERE ${isPullRequestReached(db, reach)}
      AND ${after === null ? all : sql`(pull_requests.repository_id, number) < (${after.repositoryId}::uuid, ${after.number}::int)`}
      AND ${repositoryId === undefined ? all : sql`pull_requests.repository_id = ${repositoryId}::uuid`}
      AND ${state === undefined ? all : sql`state = upper(${state})`}
      AND ${sourceBranch === undefined ? all : sql`source_branch = ${sourceBranch}`}
    ORDER BY pull_requests.repository_id DESC, number DESC
    LIMIT ${limit}`;
  return rows.map(toRecord);
}

/** A pull request; null when there is none within reach. */
export async function findPullRequestRecord(
  db: Database,
  { repositoryId, number, reach }: PullRequestName & { readonly reach: Reach },
): Promise<PullRequestRecord | null> {
  const [row] = await db.sql<PullRequestRecord[]>`
    ${selectPullRequests(db)}
    WHERE pull_requests.repository_id = ${repositoryId} AND number = ${number} AND ${isPullRequestReached(db, reach)}`;
  return row === undefined ? null : toRecord(row);
}

/** At most `limit` commits of a pull request, the latest to be linked first. By `commit_pull_requests_number_idx`. */
export async function listLinkedCommits(
  db: Database,
  { repositoryId, number, limit }: PullRequestName & { readonly limit: number },
): Promise<LinkedCommit[]> {
  const rows = await db.sql<LinkedCommit[]>`
    SELECT commit_sha AS sha, source, recorded_at FROM sluice.commit_pull_requests
    WHERE repository_id = ${repositoryId} AND number = ${number}
    ORDER BY recorded_at DESC, commit_sha LIMIT ${limit}`;
  return rows.map((row) => ({ ...row, recordedAt: toRfc3339(row.recordedAt) }));
}

function selectPullRequests(db: Database) {
  return db.sql`
    SELECT pull_requests.repository_id, number, repositories.full_name AS repository, title, state, is_draft, author, url,
           created_on, updated_on, source.full_name AS source_repository, source_branch, source_sha, destination_branch,
           destination_sha, merge_sha, reviews
    FROM sluice.pull_requests
    JOIN sluice.repositories ON repositories.id = pull_requests.repository_id
    LEFT JOIN sluice.repositories AS source ON source.id = pull_requests.source_repository_id`;
}

function toRecord(row: PullRequestRecord): PullRequestRecord {
  return {
    ...row,
    createdOn: row.createdOn === null ? null : toRfc3339(row.createdOn),
    updatedOn: toRfc3339(row.updatedOn),
  };
}
