import type { PullRequestReview } from "@sluice/domain/event";
import type { PullRequestState } from "@sluice/domain/pull-request";

import type { Database } from "./client.ts";
import { toRfc3339 } from "./rfc3339.ts";

/** A pull request's identity. */
export interface PullRequestName {
  /** The repository of the destination. */
  readonly repositoryId: string;
  readonly number: number;
}

/** A pull request on its way into the store. */
export type NewPullRequest = PullRequestName &
  PullRequestState & {
    /** Null: the fork is gone. */
    readonly sourceRepositoryId: string | null;
  };

/** A pull request's place in the maps of this module. */
export function pullRequestKey({ repositoryId, number }: PullRequestName): string {
  return `${repositoryId} ${String(number)}`;
}

/** What is stored of pull requests, by `pullRequestKey`; one that no report told of is absent. */
export async function findPullRequests(
  db: Database,
  names: readonly PullRequestName[],
): Promise<ReadonlyMap<string, PullRequestState>> {
  if (names.length === 0) return new Map();
  const rows = await db.sql<PullRequestRow[]>`
    SELECT ${columns(db)}
    FROM sluice.pull_requests
    JOIN unnest(${names.map(({ repositoryId }) => repositoryId)}::uuid[], ${names.map(({ number }) => number)}::int[])
      AS wanted (repository_id, number) USING (repository_id, number)
    LEFT JOIN sluice.repositories AS source ON source.id = pull_requests.source_repository_id`;
  return new Map(rows.map((row) => [pullRequestKey(row), toState(row)]));
}

/**
 * As `findPullRequests`, before the ids of the repositories are known.
 * @returns by `seenPullRequestKey`.
 */
export async function findSeenPullRequests(
  db: Database,
  seen: readonly SeenPullRequest[],
): Promise<ReadonlyMap<string, PullRequestState>> {
  if (seen.length === 0) return new Map();
  const rows = await db.sql<(PullRequestRow & { integrationId: string; uuid: string })[]>`
    SELECT ${columns(db)}, seen.integration_id, seen.uuid
    FROM unnest(
      ${seen.map(({ integrationId }) => integrationId)}::uuid[], ${seen.map(({ uuid }) => uuid)}::text[],
      ${seen.map(({ number }) => number)}::int[]
    ) AS seen (integration_id, uuid, number)
    JOIN sluice.repositories USING (integration_id, uuid)
    JOIN sluice.pull_requests ON pull_requests.repository_id = repositories.id AND pull_requests.number = seen.number
    LEFT JOIN sluice.repositories AS source ON source.id = pull_requests.source_repository_id`;
  return new Map(rows.map((row) => [seenPullRequestKey(row), toState(row)]));
}

/** A pull request as a delivery of one integration names it. */
export interface SeenPullRequest {
  readonly integrationId: string;
  /** Of the repository. */
  readonly uuid: string;
  readonly number: number;
}

/** A pull request's place in the map of `findSeenPullRequests`. */
export function seenPullRequestKey({ integrationId, uuid, number }: SeenPullRequest): string {
  return `${integrationId} ${uuid} ${String(number)}`;
}

/** Writes what pull requests are now. The caller holds the locks of their repositories, and names each once. */
export async function savePullRequests(db: Database, all: readonly NewPullRequest[]): Promise<void> {
  if (all.length === 0) return;
  await db.sql`
    INSERT INTO sluice.pull_requests
      (repository_id, number, title, state, is_draft, author, url, created_on, updated_on, source_repository_id, source_branch,
       source_sha, destination_branch, destination_sha, merge_sha, reviews, head_arrival)
    SELECT repository_id, number, title, state, is_draft::boolean, author::jsonb, url, created_on::timestamptz,
           updated_on::timestamptz, source_repository_id, source_branch, source_sha, destination_branch, destination_sha,
           merge_sha, reviews::jsonb, head_arrival
    FROM unnest(
      ${all.map((one) => one.repositoryId)}::uuid[],
      ${all.map((one) => one.number)}::int[],
      ${all.map((one) => one.title)}::text[],
      ${all.map((one) => one.state)}::text[],
      ${all.map((one) => (one.isDraft === null ? null : String(one.isDraft)))}::text[],
      ${all.map((one) => (one.author === null ? null : JSON.stringify(one.author)))}::text[],
      ${all.map((one) => one.url)}::text[],
      ${all.map((one) => one.createdOn)}::text[],
      ${all.map((one) => one.updatedOn)}::text[],
      ${all.map((one) => one.sourceRepositoryId)}::uuid[],
      ${all.map((one) => one.source.branch)}::text[],
      ${all.map((one) => one.source.sha)}::text[],
      ${all.map((one) => one.destination.branch)}::text[],
      ${all.map((one) => one.destination.sha)}::text[],
      ${all.map((one) => one.mergeSha)}::text[],
      ${all.map((one) => JSON.stringify(one.reviews))}::text[],
      ${all.map((one) => one.headArrival)}::bigint[]
    ) AS new (repository_id, number, title, state, is_draft, author, url, created_on, updated_on, source_repository_id,
              source_branch, source_sha, destination_branch, destination_sha, merge_sha, reviews, head_arrival)
    ON CONFLICT (repository_id, number) DO UPDATE SET
      title = excluded.title, state = excluded.state, is_draft = excluded.is_draft, author = excluded.author,
      url = excluded.url, created_on = excluded.created_on, updated_on = excluded.updated_on,
      source_repository_id = excluded.source_repository_id, source_branch = excluded.source_branch,
      source_sha = excluded.source_sha, destination_branch = excluded.destination_branch,
      destination_sha = excluded.destination_sha, merge_sha = excluded.merge_sha, reviews = excluded.reviews,
      head_arrival = excluded.head_arrival, recorded_at = now()`;
}

/** Puts the 40 digits in the place of the head's short hash, if that is still the head (rule 12). */
export async function expandPullRequestHead(
  db: Database,
  {
    repositoryId,
    number,
    shortSha,
    sha,
  }: PullRequestName & { readonly shortSha: string; readonly sha: string },
): Promise<void> {
  await db.sql`
    UPDATE sluice.pull_requests SET source_sha = ${sha}
    WHERE repository_id = ${repositoryId} AND number = ${number} AND source_sha = ${shortSha}`;
}

/** Times to the microsecond: two reports may be of one millisecond. */
function columns(db: Database) {
  return db.sql`
    pull_requests.repository_id, pull_requests.number, title, state, is_draft, author, url, created_on,
    to_char(updated_on AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS updated_on, source_branch, source_sha,
    destination_branch, destination_sha, merge_sha, reviews, head_arrival, source.uuid AS source_uuid,
    source.full_name AS source_full_name`;
}

interface PullRequestRow
  extends
    PullRequestName,
    Pick<PullRequestState, "title" | "state" | "isDraft" | "author" | "url" | "createdOn" | "updatedOn"> {
  readonly sourceUuid: string | null;
  readonly sourceFullName: string | null;
  readonly sourceBranch: string;
  readonly sourceSha: string | null;
  readonly destinationBranch: string;
  readonly destinationSha: string | null;
  readonly mergeSha: string | null;
  readonly reviews: readonly PullRequestReview[];
  readonly headArrival: number;
}

function toState(row: PullRequestRow): PullRequestState {
  const { number, title, state, isDraft, author, url, mergeSha, reviews, headArrival } = row;
  return {
    number,
    title,
    state,
    isDraft,
    author,
    url,
    createdOn: row.createdOn === null ? null : toRfc3339(row.createdOn),
    updatedOn: row.updatedOn,
    source: {
      repository:
        row.sourceUuid === null ? null : { uuid: row.sourceUuid, fullName: row.sourceFullName ?? "" },
      branch: row.sourceBranch,
      sha: row.sourceSha,
    },
    destination: { branch: row.destinationBranch, sha: row.destinationSha },
    mergeSha,
    reviews,
    headArrival,
  };
}
