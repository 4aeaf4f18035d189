/** By which push a branch came to a commit. */
import type { BranchName } from "./branches.ts";
import type { Database } from "./client.ts";

/** Hashes of so many digits and more are taken for a commit's. */
const SHORTEST_SHA = 7;

/** A commit of a branch. */
export interface BranchCommit extends BranchName {
  /** 40 hex digits. */
  readonly commitSha: string;
}

/** The push by which a branch came to a commit. */
export interface CommitArrival {
  /** See `events.branch_arrival`. */
  readonly branchArrival: number;
  /** The push's place among those of its branch. */
  readonly position: number;
}

/** A commit's place in the map of `findArrivals`. */
export function branchCommitKey({ repositoryId, name, commitSha }: BranchCommit): string {
  return `${repositoryId} ${name} ${commitSha}`;
}

/**
 * The latest recorded push that brought each branch to its commit, by `branchCommitKey`; absent where none is recorded. The
 * caller holds the locks of the repositories. Found by the commit, in whatever length its push told it: a branch has many.
 */
export async function findArrivals(
  db: Database,
  commits: readonly BranchCommit[],
): Promise<ReadonlyMap<string, CommitArrival>> {
  if (commits.length === 0) return new Map();
  const rows = await db.sql<(BranchCommit & CommitArrival)[]>`
    SELECT DISTINCT ON (repository_id, name, commit_sha) wanted.*, branch_arrival, sequence AS position
    FROM unnest(
      ${commits.map((commit) => commit.repositoryId)}::uuid[],
      ${commits.map((commit) => commit.name)}::text[],
      ${commits.map((commit) => commit.commitSha)}::text[]
    ) AS wanted (repository_id, name, commit_sha)
    CROSS JOIN LATERAL (
      SELECT repository_id AS pushed_to, ref_kind, ref_name, told_again, branch_arrival, sequence FROM sluice.events
      WHERE new_sha = ANY(ARRAY(
        SELECT left(wanted.commit_sha, digits) FROM generate_series(${SHORTEST_SHA}::int, length(wanted.commit_sha)) AS digits
      ))
      OFFSET 0
    ) AS push
    WHERE pushed_to = wanted.repository_id AND ref_kind = 'branch' AND ref_name = wanted.name AND NOT told_again
      AND branch_arrival IS NOT NULL
    ORDER BY repository_id, name, commit_sha, sequence DESC`;
  return new Map(
    rows.map(({ branchArrival, position, ...commit }) => [
      branchCommitKey(commit),
      { branchArrival, position },
    ]),
  );
}
