/**
 * Commits about whose pull requests Bitbucket is to be asked. A row is kept also when that is done, so that a commit is
 * asked about once, whatever came of it. Times are those of the database's clock.
 */
import type { CommitLinks } from "@sluice/domain/commit-links";

import type { Database } from "./client.ts";
import type { CommitName } from "./commit-links.ts";

/** A commit to ask about, and its repository. */
export interface CommitToLink extends CommitName {
  /** How often Bitbucket had no answer yet. */
  readonly attempts: number;
  readonly integrationId: string;
  /** Of the repository: Bitbucket's uuid, with braces. */
  readonly uuid: string;
  /** `workspace/slug`. */
  readonly fullName: string;
  /** Null: never asked. */
  readonly commitLinks: CommitLinks | null;
  /** Whether `commitLinks` is of the last day. */
  readonly isChecked: boolean;
}

/** How old triggers are at most in which commits are looked for. A link that comes later is of no use to a run. */
const MAX_AGE_DAYS = 1;

/**
 * Adds the commits of triggers that come after `afterId` and are older than `lagMs`, except those with a link. A page of
 * at most `limit` triggers, found by their primary key: ids are made in the order of time (UUIDv7), and those of a
 * transaction are committed less than `lagMs` after they were made, so that none appears behind the place that the walk
 * has come to. `afterId` null: from a day ago.
 * @returns the place for the next page; null: there was nothing.
 */
export async function addCommitsToLink(
  db: Database,
  page: { readonly afterId: string | null; readonly lagMs: number; readonly limit: number },
): Promise<string | null> {
  const { afterId, lagMs, limit } = page;
  const [row] = await db.sql<{ id: string }[]>`
    WITH page AS MATERIALIZED (
      SELECT id, repository_id, commit_sha FROM sluice.triggers
      -- In queries of their own, because only what does not change from row to row bounds the walk.
      WHERE id > coalesce(${afterId}::uuid, (SELECT uuidv7(-${MAX_AGE_DAYS}::int * interval '1 day')))
        AND id < (SELECT uuidv7(-${lagMs}::float8 * interval '1 millisecond'))
      ORDER BY id LIMIT ${limit}
    ), added AS (
      INSERT INTO sluice.commit_links (repository_id, commit_sha, ask_at)
      SELECT DISTINCT repository_id, commit_sha, now() FROM page
      WHERE NOT EXISTS (
        SELECT FROM sluice.commit_pull_requests AS link
        WHERE link.repository_id = page.repository_id AND link.commit_sha = page.commit_sha
      )
      ORDER BY repository_id, commit_sha
      ON CONFLICT DO NOTHING
    )
    SELECT id FROM page ORDER BY id DESC LIMIT 1`;
  return row?.id ?? null;
}

/** Asks no more about commits that have got a link meanwhile, and about those that nothing was learned of in a day. */
export async function settleCommitsToLink(db: Database): Promise<void> {
  await db.sql`
    UPDATE sluice.commit_links SET ask_at = NULL
    WHERE ask_at <= now() AND (
      recorded_at < now() - ${MAX_AGE_DAYS}::int * interval '1 day' OR EXISTS (
        SELECT FROM sluice.commit_pull_requests AS link
        WHERE link.repository_id = commit_links.repository_id AND link.commit_sha = commit_links.commit_sha
      )
    )`;
}

/**
 * Takes commits that are to be asked about, those first that have waited longest: nobody else is given them before
 * `takeForMs` are over. `except`: integrations that are left alone.
 */
export async function takeCommitsToLink(
  db: Database,
  options: { readonly limit: number; readonly takeForMs: number; readonly except: readonly string[] },
): Promise<CommitToLink[]> {
  const { limit, takeForMs, except } = options;
  return db.sql<CommitToLink[]>`
    WITH due AS (
      SELECT commit_links.repository_id, commit_sha FROM sluice.commit_links
      JOIN sluice.repositories ON repositories.id = commit_links.repository_id
      WHERE ask_at <= now() AND uuid IS NOT NULL AND integration_id <> ALL(${except}::uuid[])
      ORDER BY ask_at LIMIT ${limit}
      FOR NO KEY UPDATE OF commit_links SKIP LOCKED
    ), taken AS (
      UPDATE sluice.commit_links SET ask_at = now() + ${takeForMs}::float8 * interval '1 millisecond'
      FROM due WHERE due.repository_id = commit_links.repository_id AND due.commit_sha = commit_links.commit_sha
      RETURNING commit_links.repository_id, commit_links.commit_sha, attempts
    )
    SELECT taken.*, integration_id, uuid, full_name, commit_links,
           coalesce(commit_links_checked_at > now() - interval '1 day', false) AS is_checked
    FROM taken JOIN sluice.repositories ON repositories.id = taken.repository_id
    ORDER BY taken.repository_id, commit_sha`;
}

/** Gives commits that were taken back: to be asked about in `afterMs`, having had `attempts` answers that say nothing. */
export async function askLater(
  db: Database,
  commits: readonly (CommitName & { readonly attempts: number })[],
  afterMs: number,
): Promise<void> {
  if (commits.length === 0) return;
  await db.sql`
    UPDATE sluice.commit_links
    SET attempts = later.attempts, ask_at = now() + ${afterMs}::float8 * interval '1 millisecond'
    FROM unnest(
      ${commits.map((commit) => commit.repositoryId)}::uuid[], ${commits.map((commit) => commit.commitSha)}::text[],
      ${commits.map((commit) => commit.attempts)}::int[]
    ) AS later (repository_id, commit_sha, attempts)
    WHERE commit_links.repository_id = later.repository_id AND commit_links.commit_sha = later.commit_sha`;
}

/** Commits about which there is nothing more to ask. */
export async function finishCommitsToLink(db: Database, commits: readonly CommitName[]): Promise<void> {
  if (commits.length === 0) return;
  await db.sql`
    UPDATE sluice.commit_links SET ask_at = NULL
    FROM unnest(
      ${commits.map((commit) => commit.repositoryId)}::uuid[], ${commits.map((commit) => commit.commitSha)}::text[]
    ) AS done (repository_id, commit_sha)
    WHERE commit_links.repository_id = done.repository_id AND commit_links.commit_sha = done.commit_sha`;
}
