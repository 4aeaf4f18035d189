/** What sweeps compare Bitbucket's open pull requests with, and from when on those count for a target (rule 34). */
import type { PullRequestState } from "@sluice/domain/pull-request";

import { isActiveTarget } from "./active-targets.ts";
import type { Database } from "./client.ts";

/**
 * What a target's baseline of pull requests is kept under among those of its branches: no branch has an empty name. Its
 * `seen_at` is in Bitbucket's time.
 */
const PULL_REQUESTS = "";

/** Of a list without pull requests: all that Bitbucket has are of later. */
const BEFORE_ALL = "1970-01-01T00:00:00Z";

/** As much of a stored pull request as a sweep compares. */
export interface KnownPullRequest extends Pick<PullRequestState, "number" | "state" | "updatedOn"> {
  readonly source: Pick<PullRequestState["source"], "branch" | "sha">;
  readonly destination: Pick<PullRequestState["destination"], "branch">;
}

/**
 * What is stored of the pull requests of a repository that are open as far as we know, and of those with the given numbers,
 * by number; `updatedOn` to the microsecond.
 */
export async function listKnownPullRequests(
  db: Database,
  repositoryId: string,
  numbers: readonly number[],
): Promise<ReadonlyMap<number, KnownPullRequest>> {
  const rows = await db.sql<
    (Pick<KnownPullRequest, "number" | "state" | "updatedOn"> & {
      sourceBranch: string;
      sourceSha: string | null;
      destinationBranch: string;
    })[]
  >`
    SELECT number, state, to_char(updated_on AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS updated_on,
           source_branch, source_sha, destination_branch
    FROM sluice.pull_requests
    WHERE repository_id = ${repositoryId} AND (state = 'OPEN' OR number = ANY(${numbers}::int[]))
    ORDER BY number`;
  return new Map(
    rows.map(({ sourceBranch, sourceSha, destinationBranch, ...row }) => [
      row.number,
      {
        ...row,
        source: { branch: sourceBranch, sha: sourceSha },
        destination: { branch: destinationBranch },
      },
    ]),
  );
}

/**
 * Keeps, for each active target of the repository that has no baseline of pull requests yet, that a sweep has seen those
 * updated until `seenUntil`: RFC 3339, the latest `updated_on` of Bitbucket's list; null when that is empty.
 * @returns until when they are a baseline for each active target, to the microsecond; null when there is no such target.
 */
export async function savePullRequestBaselines(
  db: Database,
  { repositoryId, seenUntil }: { readonly repositoryId: string; readonly seenUntil: string | null },
): Promise<string | null> {
  await db.sql`
    INSERT INTO sluice.sweep_baselines (target_id, branch, seen_at)
    SELECT id, ${PULL_REQUESTS}, ${seenUntil ?? BEFORE_ALL}::text::timestamptz FROM sluice.targets
    WHERE repository_id = ${repositoryId} AND ${isActiveTarget(db)}
    ORDER BY id
    ON CONFLICT (target_id, branch) DO NOTHING`;
  const [row] = await db.sql<{ seenUntil: string | null }[]>`
    SELECT to_char(min(seen_at) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS seen_until
    FROM sluice.sweep_baselines JOIN sluice.targets ON targets.id = target_id
    WHERE repository_id = ${repositoryId} AND branch = ${PULL_REQUESTS} AND ${isActiveTarget(db)}`;
  return row?.seenUntil ?? null;
}

/**
 * For which active targets of its repository a pull request that a sweep found is a baseline: it was so (`updatedOn`,
 * Bitbucket's) when the first sweep for the target looked, or none has looked yet.
 * @returns ids.
 */
export async function listBaselineTargetsOfPullRequest(
  db: Database,
  { repositoryId, updatedOn }: { readonly repositoryId: string; readonly updatedOn: string },
): Promise<ReadonlySet<string>> {
  const rows = await db.sql<{ id: string }[]>`
    SELECT targets.id FROM sluice.targets
    LEFT JOIN sluice.sweep_baselines AS baselines
      ON baselines.target_id = targets.id AND baselines.branch = ${PULL_REQUESTS}
    WHERE repository_id = ${repositoryId} AND ${isActiveTarget(db)}
      AND (baselines.target_id IS NULL OR ${updatedOn}::text::timestamptz <= baselines.seen_at)`;
  return new Set(rows.map(({ id }) => id));
}

/** The pull requests of the repository could not be read: what happened to them meanwhile is a baseline again. */
export async function forgetPullRequestBaselines(db: Database, repositoryId: string): Promise<void> {
  await db.sql`
    DELETE FROM sluice.sweep_baselines USING sluice.targets
    WHERE targets.id = target_id AND targets.repository_id = ${repositoryId} AND branch = ${PULL_REQUESTS}`;
}
