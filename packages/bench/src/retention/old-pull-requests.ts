/** Where the branches and pull requests of a database's history are now. */
import type postgres from "postgres";
import type { RowCounts } from "./old-deliveries.ts";

/** Branches are gone with their changes, but for those that are open; `main` is at its last merge. */
export async function insertBranches(sql: postgres.Sql): Promise<RowCounts> {
  const branches = await sql`
    INSERT INTO sluice.branches (repository_id, name, head_sha, arrival_sequence, updated_at)
    SELECT DISTINCT ON (repository_id, name) repository_id, name, CASE WHEN told <> 'end' THEN sha END, sequence, at
    FROM steps, LATERAL (SELECT CASE WHEN told = 'merge' THEN 'main' ELSE branch END) AS named (name)
    WHERE told IN ('push', 'merge', 'end') ORDER BY repository_id, name, sequence DESC`;
  return { branches: branches.count };
}

/** One for each change, with links of its commits and its merge; Bitbucket was asked about each. */
export async function insertPullRequests(sql: postgres.Sql): Promise<RowCounts> {
  const pullRequests = await sql`
    INSERT INTO sluice.pull_requests
      (repository_id, number, title, state, created_on, updated_on, source_repository_id, source_branch, source_sha,
       destination_branch, head_arrival, recorded_at)
    SELECT repository_id, n, 'Widen the subnets of the second region', CASE WHEN is_open THEN 'OPEN' ELSE 'MERGED' END,
           min(at), max(at), repository_id, branch, max(sha) FILTER (WHERE step = 5), 'main',
           max(sequence) FILTER (WHERE step = 5), max(at)
    FROM steps WHERE told = 'pull_request'
    GROUP BY repository_id, n, is_open, branch ORDER BY max(sequence)`;
  const links = await sql`
    INSERT INTO sluice.commit_pull_requests (repository_id, commit_sha, number, source, recorded_at)
    SELECT repository_id, sha, n, CASE WHEN told = 'merge' THEN 'bitbucket' ELSE 'event' END, at
    FROM steps WHERE told IN ('push', 'merge') ORDER BY sequence`;
  const commits = await sql`
    INSERT INTO sluice.commit_links (repository_id, commit_sha, attempts, recorded_at)
    SELECT repository_id, sha, 1, at FROM steps WHERE told IN ('push', 'merge') ORDER BY sequence`;
  return { pullRequests: pullRequests.count, links: links.count, commits: commits.count };
}
