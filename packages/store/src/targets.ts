import type { Target } from "@sluice/domain/target";

import type { Database } from "./client.ts";

/** The targets of each repository, by repository id; a repository without any is absent. */
export async function listTargetsByRepository(
  db: Database,
  repositoryIds: readonly string[],
): Promise<ReadonlyMap<string, readonly Target[]>> {
  const rows = await db.sql<(Target & { repositoryId: string })[]>`
    SELECT repository_id, id, kind, name, tracked_branch, project_root, project_globs, on_unknown_files,
           CASE WHEN integration_id IS NULL THEN 'detached' WHEN enabled THEN 'active' ELSE 'disabled' END AS state
    FROM sluice.targets
    WHERE repository_id = ANY(${repositoryIds}::uuid[]) AND removed_at IS NULL
    ORDER BY id`;
  const byRepository = new Map<string, Target[]>();
  for (const { repositoryId, ...target } of rows) {
    const known = byRepository.get(repositoryId);
    if (known === undefined) byRepository.set(repositoryId, [target]);
    else known.push(target);
  }
  return byRepository;
}
