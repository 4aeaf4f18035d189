import type { Database } from "./client.ts";

/** By target: the commit of its newest tracked trigger; a target that never had one is absent. */
export async function findLastTrackedCommits(
  db: Database,
  targetIds: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  if (targetIds.length === 0) return new Map();
  const rows = await db.sql<{ targetId: string; commitSha: string }[]>`
    SELECT target_id, newest.commit_sha
    FROM unnest(${targetIds}::uuid[]) AS wanted (target_id)
    CROSS JOIN LATERAL (
      SELECT commit_sha FROM sluice.triggers
      WHERE triggers.target_id = wanted.target_id AND run_type = 'tracked'
      ORDER BY position DESC LIMIT 1
    ) AS newest`;
  return new Map(rows.map((row) => [row.targetId, row.commitSha]));
}
