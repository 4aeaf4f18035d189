import type { Target } from "@sluice/domain/target";

import type { Database } from "./client.ts";
import type { SeenRepository } from "./repositories.ts";

/**
 * The targets of each repository, by repository id; a repository without any is absent. An integration that is switched off
 * switches off its targets: its deliveries are verified and recorded all the same.
 */
export async function listTargetsByRepository(
  db: Database,
  repositoryIds: readonly string[],
): Promise<ReadonlyMap<string, readonly Target[]>> {
  const rows = await db.sql<TargetRow[]>`
    ${selectTargets(db)} WHERE repository_id = ANY(${repositoryIds}::uuid[]) AND removed_at IS NULL
    ORDER BY id`;
  return groupByRepository(rows);
}

/** As `listTargetsByRepository`, before the ids of the repositories are known. */
export async function listTargetsOfSeen(
  db: Database,
  seen: readonly Pick<SeenRepository, "integrationId" | "uuid">[],
): Promise<ReadonlyMap<string, readonly Target[]>> {
  const rows = await db.sql<TargetRow[]>`
    ${selectTargets(db)}
    WHERE removed_at IS NULL AND repository_id = ANY(ARRAY(
      SELECT repository.id
      FROM unnest(
        ${seen.map((repository) => repository.integrationId)}::uuid[],
        ${seen.map((repository) => repository.uuid)}::text[]
      ) AS seen (integration_id, uuid)
      CROSS JOIN LATERAL (
        SELECT id FROM sluice.repositories
        WHERE repositories.integration_id = seen.integration_id AND repositories.uuid = seen.uuid LIMIT 1
      ) AS repository
    ))
    ORDER BY id`;
  return groupByRepository(rows);
}

type TargetRow = Target & { readonly repositoryId: string };

function selectTargets(db: Database) {
  return db.sql`
    SELECT repository_id, targets.id, kind, targets.name, tracked_branch, project_root, project_globs, on_unknown_files,
           allowed_fork_workspaces, deployers, module_version_source,
           CASE WHEN integration_id IS NULL THEN 'detached'
                WHEN targets.enabled AND integrations.enabled THEN 'active'
                ELSE 'disabled' END AS state,
           coalesce(targets.enabled AND NOT integrations.enabled, false) AS is_integration_disabled
    FROM sluice.targets LEFT JOIN sluice.integrations ON integrations.id = targets.integration_id`;
}

function groupByRepository(rows: readonly TargetRow[]): ReadonlyMap<string, readonly Target[]> {
  const byRepository = new Map<string, Target[]>();
  for (const { repositoryId, ...target } of rows) {
    const known = byRepository.get(repositoryId);
    if (known === undefined) byRepository.set(repositoryId, [target]);
    else known.push(target);
  }
  return byRepository;
}
