/** Which pull requests commits are part of (links). A link tells more of a trigger that is there; nothing waits for one. */
import type { CommitLinks } from "@sluice/domain/commit-links";

import type { Database } from "./client.ts";
import type { PullRequestName } from "./pull-requests.ts";

/** A commit of a repository. */
export interface CommitName {
  /** The repository in which its triggers and its pull requests are: that of the destination, for a fork's commit. */
  readonly repositoryId: string;
  /** 40 hex digits. */
  readonly commitSha: string;
}

/** A commit is part of a pull request of the same repository. */
export interface CommitLink extends CommitName, PullRequestName {
  /** `event`: a pull request event named it as head or merge; `bitbucket`: asked for it; `branch`: by its source branch. */
  readonly source: "event" | "bitbucket" | "branch";
}

/** A branch of the repository that came to a commit. */
export interface CommitBranch extends CommitName {
  readonly branch: string;
}

/** A commit's place in the maps of this module. */
export function commitKey({ repositoryId, commitSha }: CommitName): string {
  return `${repositoryId} ${commitSha}`;
}

/** As many ids of 36 characters and a comma as one notification holds: its payload is below 8,000 bytes. */
const IDS_PER_NOTIFICATION = 200;

/**
 * Saves links; one that is known stays as it is. The triggers that a new one tells more of get a line of history, and
 * their ids, separated by commas, are the payload of a notification on the channel `sluice_triggers`.
 *
 * The triggers of a commit are looked up by their identity, target by target: there is no index by commit, which every
 * insert of a trigger would pay for. OFFSET lets no join be made of that, and the order asks for that index, also while a
 * table has no statistics.
 */
export async function saveCommitLinks(db: Database, links: readonly CommitLink[]): Promise<void> {
  if (links.length === 0) return;
  await db.sql`
    WITH inserted AS (
      INSERT INTO sluice.commit_pull_requests (repository_id, commit_sha, number, source)
      SELECT DISTINCT ON (repository_id, commit_sha, number) repository_id, commit_sha, number, source
      FROM unnest(
        ${links.map((link) => link.repositoryId)}::uuid[],
        ${links.map((link) => link.commitSha)}::text[],
        ${links.map((link) => link.number)}::int[],
        ${links.map((link) => link.source)}::text[]
      ) AS new (repository_id, commit_sha, number, source)
      ORDER BY repository_id, commit_sha, number
      ON CONFLICT DO NOTHING
      RETURNING repository_id, commit_sha, number
    ), linked AS (
      SELECT made.id, made.state, inserted.number
      FROM inserted
      JOIN sluice.targets ON targets.repository_id = inserted.repository_id AND targets.removed_at IS NULL
      CROSS JOIN (VALUES ('tracked'), ('proposed')) AS run (run_type)
      CROSS JOIN LATERAL (
        SELECT id, state FROM sluice.triggers
        WHERE triggers.target_id = targets.id AND triggers.run_type = run.run_type
          AND triggers.commit_sha = inserted.commit_sha AND triggers.repository_id = inserted.repository_id
        ORDER BY branch_arrival DESC OFFSET 0
      ) AS made
    ), history AS (
      INSERT INTO sluice.trigger_history (trigger_id, state, actor, note)
      SELECT id, state, 'worker', 'belongs to pull request #' || number FROM linked ORDER BY id, number
    )
    SELECT pg_notify('sluice_triggers', string_agg(id::text, ','))
    FROM (
      SELECT id, (row_number() OVER (ORDER BY id) - 1) / ${IDS_PER_NOTIFICATION}::int AS part
      FROM (SELECT DISTINCT id FROM linked) AS told
    ) AS numbered
    GROUP BY part`;
}

/** The numbers of the pull requests that commits are part of, ascending, by `commitKey`; one without any is absent. */
export async function findPullRequestsOfCommits(
  db: Database,
  commits: readonly CommitName[],
): Promise<ReadonlyMap<string, readonly number[]>> {
  if (commits.length === 0) return new Map();
  const rows = await db.sql<(CommitName & { numbers: number[] })[]>`
    SELECT repository_id, commit_sha, array_agg(number ORDER BY number) AS numbers
    FROM (SELECT DISTINCT * FROM ${commitTable(db, commits)}) AS wanted
    JOIN sluice.commit_pull_requests USING (repository_id, commit_sha)
    GROUP BY repository_id, commit_sha`;
  return new Map(rows.map(({ numbers, ...commit }) => [commitKey(commit), numbers]));
}

/** The branches that recorded pushes brought to these commits: a tag has no pull requests. */
export async function listBranchesOfCommits(
  db: Database,
  commits: readonly CommitName[],
): Promise<CommitBranch[]> {
  if (commits.length === 0) return [];
  return db.sql<CommitBranch[]>`
    SELECT DISTINCT wanted.repository_id, wanted.commit_sha, push.ref_name AS branch
    FROM ${commitTable(db, commits)}
    CROSS JOIN LATERAL (
      SELECT ref_name FROM sluice.events
      WHERE events.new_sha = wanted.commit_sha AND events.repository_id = wanted.repository_id
        AND kind = 'push' AND ref_kind = 'branch'
      OFFSET 0
    ) AS push`;
}

/** What is stored of open pull requests from branches of commits: each is one that its commit is part of. */
export async function listStoredPullRequestsOf(
  db: Database,
  branches: readonly CommitBranch[],
): Promise<(CommitName & PullRequestName)[]> {
  if (branches.length === 0) return [];
  return db.sql<(CommitName & PullRequestName)[]>`
    SELECT DISTINCT wanted.repository_id, wanted.commit_sha, number
    FROM unnest(
      ${branches.map((one) => one.repositoryId)}::uuid[], ${branches.map((one) => one.commitSha)}::text[],
      ${branches.map((one) => one.branch)}::text[]
    ) AS wanted (repository_id, commit_sha, branch)
    CROSS JOIN LATERAL (
      SELECT number FROM sluice.pull_requests
      WHERE source_repository_id = wanted.repository_id AND source_branch = wanted.branch
        AND pull_requests.repository_id = wanted.repository_id AND state = 'OPEN'
      OFFSET 0
    ) AS pull_request`;
}

/**
 * Keeps whether Bitbucket can tell the pull requests of a repository's commits.
 * @returns whether that is news: true once, whoever else finds out at the same time.
 */
export async function saveRepositoryLinks(
  db: Database,
  repositoryId: string,
  links: CommitLinks,
): Promise<boolean> {
  const [row] = await db.sql<{ isNews: boolean }[]>`
    UPDATE sluice.repositories SET commit_links = ${links}, commit_links_checked_at = now()
    WHERE id = ${repositoryId}
      -- The row is one that recorders lock: it is not written again with every answer.
      AND (commit_links IS DISTINCT FROM ${links} OR commit_links_checked_at < now() - interval '1 hour')
    RETURNING old.commit_links IS DISTINCT FROM new.commit_links AS is_news`;
  return row?.isNews ?? false;
}

function commitTable(db: Database, commits: readonly CommitName[]) {
  return db.sql`
    unnest(
      ${commits.map((commit) => commit.repositoryId)}::uuid[], ${commits.map((commit) => commit.commitSha)}::text[]
    ) AS wanted (repository_id, commit_sha)`;
}
