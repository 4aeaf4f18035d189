/** The versions that modules have been given (rule 31). */
import type { GivenVersion } from "@sluice/domain/module-version";

import type { Database } from "./client.ts";

/**
 * The versions of these targets' triggers, whatever became of those, by target id; a target without any is absent. The
 * caller holds the locks of their repositories. All of them, because their order is not one that Postgres knows.
 */
export async function listModuleVersions(
  db: Database,
  targetIds: readonly string[],
): Promise<ReadonlyMap<string, readonly GivenVersion[]>> {
  if (targetIds.length === 0) return new Map();
  // OFFSET keeps the lookup apart for each target: a module has few of the triggers of which there may be millions.
  const rows = await db.sql<(GivenVersion & { targetId: string })[]>`
    SELECT wanted.target_id, given.module_version AS version, given.position
    FROM (SELECT DISTINCT unnest(${targetIds}::uuid[]) AS target_id) AS wanted
    CROSS JOIN LATERAL (
      SELECT module_version, position FROM sluice.triggers
      WHERE triggers.target_id = wanted.target_id AND module_version IS NOT NULL OFFSET 0
    ) AS given`;
  const byTarget = new Map<string, GivenVersion[]>();
  for (const { targetId, ...given } of rows) {
    const known = byTarget.get(targetId);
    if (known === undefined) byTarget.set(targetId, [given]);
    else known.push(given);
  }
  return byTarget;
}
