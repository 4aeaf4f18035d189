import type { BranchState } from "@sluice/domain/branch";

import type { Database } from "./client.ts";

export interface BranchName {
  readonly repositoryId: string;
  readonly name: string;
}

export function branchKey({ repositoryId, name }: BranchName): string {
  return `${repositoryId} ${name}`;
}

/** What is known of branches, by `branchKey`. The caller holds the locks of their repositories. */
export async function findBranches(
  db: Database,
  names: readonly BranchName[],
): Promise<Map<string, BranchState>> {
  const rows = await db.sql<(BranchName & BranchState)[]>`
    SELECT repository_id, name, head_sha, arrival_sequence
    FROM sluice.branches
    JOIN unnest(${names.map((branch) => branch.repositoryId)}::uuid[], ${names.map((branch) => branch.name)}::text[])
      AS wanted (repository_id, name) USING (repository_id, name)`;
  return new Map(
    rows.map((row) => [branchKey(row), { headSha: row.headSha, arrivalSequence: row.arrivalSequence }]),
  );
}

/** Writes the new state of branches, each once. The caller holds the locks of their repositories. */
export async function saveBranches(
  db: Database,
  branches: readonly (BranchName & BranchState)[],
): Promise<void> {
  await db.sql`
    INSERT INTO sluice.branches (repository_id, name, head_sha, arrival_sequence)
    SELECT * FROM unnest(
      ${branches.map((branch) => branch.repositoryId)}::uuid[],
      ${branches.map((branch) => branch.name)}::text[],
      ${branches.map((branch) => branch.headSha)}::text[],
      ${branches.map((branch) => branch.arrivalSequence)}::bigint[]
    )
    ON CONFLICT (repository_id, name) DO UPDATE
      SET head_sha = excluded.head_sha, arrival_sequence = excluded.arrival_sequence, updated_at = now()`;
}
