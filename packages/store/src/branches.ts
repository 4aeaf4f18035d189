import type { BranchState } from "@sluice/domain/branch";

import type { Database } from "./client.ts";

export interface BranchName {
  readonly repositoryId: string;
  readonly name: string;
}

export function branchKey({ repositoryId, name }: BranchName): string {
  return `${repositoryId} ${name}`;
}

/** A branch as a delivery names it. */
export interface SeenBranch {
  readonly integrationId: string;
  /** Of its repository. */
  readonly uuid: string;
  readonly name: string;
}

/** What is known of branches, by `branchKey`. The caller holds the locks of their repositories. */
export async function findBranches(
  db: Database,
  names: readonly BranchName[],
): Promise<ReadonlyMap<string, BranchState>> {
  const rows = await db.sql<BranchRow[]>`
    SELECT branch.*
    FROM unnest(${names.map((branch) => branch.repositoryId)}::uuid[], ${names.map((branch) => branch.name)}::text[])
      AS wanted (repository_id, name)
    CROSS JOIN LATERAL (
      ${selectBranches(db)} WHERE branches.repository_id = wanted.repository_id AND branches.name = wanted.name LIMIT 1
    ) AS branch`;
  return toBranchStates(rows);
}

/** As `findBranches`, before the ids of the repositories are known. */
export async function findSeenBranches(
  db: Database,
  seen: readonly SeenBranch[],
): Promise<ReadonlyMap<string, BranchState>> {
  const rows = await db.sql<BranchRow[]>`
    SELECT branch.*
    FROM unnest(
      ${seen.map((branch) => branch.integrationId)}::uuid[],
      ${seen.map((branch) => branch.uuid)}::text[],
      ${seen.map((branch) => branch.name)}::text[]
    ) AS seen (integration_id, uuid, name)
    CROSS JOIN LATERAL (
      SELECT id FROM sluice.repositories
      WHERE repositories.integration_id = seen.integration_id AND repositories.uuid = seen.uuid LIMIT 1
    ) AS repository
    CROSS JOIN LATERAL (
      ${selectBranches(db)} WHERE branches.repository_id = repository.id AND branches.name = seen.name LIMIT 1
    ) AS branch`;
  return toBranchStates(rows);
}

type BranchRow = BranchName & BranchState;

/** Looked up one by one, by their key: a LIMIT lets no other plan be made, also while a table has no statistics. */
function selectBranches(db: Database) {
  return db.sql`
    SELECT branches.repository_id, branches.name, branches.head_sha, branches.arrival_sequence, branches.origin, branches.chain
    FROM sluice.branches`;
}

function toBranchStates(rows: readonly BranchRow[]): ReadonlyMap<string, BranchState> {
  return new Map(rows.map(({ repositoryId, name, ...state }) => [branchKey({ repositoryId, name }), state]));
}

/** Writes the new state of branches, each once. The caller holds the locks of their repositories. */
export async function saveBranches(
  db: Database,
  branches: readonly (BranchName & BranchState)[],
): Promise<void> {
  if (branches.length === 0) return;
  await db.sql`
    INSERT INTO sluice.branches (repository_id, name, head_sha, arrival_sequence, origin, chain)
    SELECT * FROM unnest(
      ${branches.map((branch) => branch.repositoryId)}::uuid[],
      ${branches.map((branch) => branch.name)}::text[],
      ${branches.map((branch) => branch.headSha)}::text[],
      ${branches.map((branch) => branch.arrivalSequence)}::bigint[],
      ${branches.map((branch) => branch.origin)}::text[],
      ${branches.map((branch) => branch.chain)}::text[]
    )
    ON CONFLICT (repository_id, name) DO UPDATE
      SET head_sha = excluded.head_sha, arrival_sequence = excluded.arrival_sequence, origin = excluded.origin,
          chain = excluded.chain, updated_at = now()`;
}
