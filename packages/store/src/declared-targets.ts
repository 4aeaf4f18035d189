/** Writes the targets of a declarative file, and binds them to repositories. */
import { AppError } from "@sluice/domain/app-error";

import type { Database } from "./client.ts";
import type { StoredTarget } from "./declared-state.ts";
import { forgetBaselines, forgetBaselinesOfChanged } from "./swept-branches.ts";

/** A target to write; `id` is null for a new one. */
export interface TargetRow extends Omit<
  StoredTarget,
  "id" | "space" | "integration" | "repository" | "repositoryIsSeen" | "repositoryIsLatest"
> {
  readonly id: string | null;
  readonly spaceId: string;
  readonly integrationId: string;
  readonly repositoryId: string;
}

/** A repository as a target names it. */
export interface NamedRepository {
  readonly integrationId: string;
  /** `workspace/slug`. */
  readonly fullName: string;
}

/** Each round loses only to a delivery that adopted a repository in between. */
const MAX_BINDING_ROUNDS = 5;

/** The key of a repository in the answer of `bindRepositories`; Bitbucket's names have no case. */
export function namedRepositoryKey({ integrationId, fullName }: NamedRepository): string {
  return `${integrationId} ${fullName.toLowerCase()}`;
}

/**
 * Finds the repositories that targets name, or makes them without a uuid, which their first delivery tells. Holds them
 * until the transaction ends, so that no delivery moves them meanwhile: call it before targets are written.
 * @returns ids by `namedRepositoryKey`.
 */
export async function bindRepositories(
  tx: Database,
  named: readonly NamedRepository[],
): Promise<ReadonlyMap<string, string>> {
  const wanted = [...new Map(named.map((each) => [namedRepositoryKey(each), each])).values()];
  if (wanted.length === 0) return new Map();
  for (let round = 0; round < MAX_BINDING_ROUNDS; round += 1) {
    await insertUnseen(tx, wanted);
    const found = await findNamed(tx, wanted);
    const held = await tx.sql`
      SELECT FROM sluice.repositories WHERE id = ANY(${[...found.values()]}::uuid[]) ORDER BY id FOR KEY SHARE`;
    if (held.count === wanted.length) return found;
  }
  throw new AppError("repositories_busy", "repositories changed while they were bound: try again");
}

async function insertUnseen(tx: Database, wanted: readonly NamedRepository[]): Promise<void> {
  await tx.sql`
    INSERT INTO sluice.repositories (integration_id, full_name)
    SELECT integration_id, full_name
    FROM unnest(
      ${wanted.map((each) => each.integrationId)}::uuid[],
      ${wanted.map((each) => each.fullName)}::text[]
    ) AS wanted (integration_id, full_name)
    WHERE NOT EXISTS (
      SELECT FROM sluice.repositories AS known
      WHERE known.integration_id = wanted.integration_id AND lower(known.full_name) = lower(wanted.full_name)
    )
    ON CONFLICT DO NOTHING`;
}

/** Of two of one name (one was deleted and made again) the one that Bitbucket named last: see `repositoryIsLatest`. */
async function findNamed(
  tx: Database,
  wanted: readonly NamedRepository[],
): Promise<ReadonlyMap<string, string>> {
  const rows = await tx.sql<(NamedRepository & { id: string })[]>`
    SELECT DISTINCT ON (integration_id, lower(full_name)) id, integration_id, full_name
    FROM sluice.repositories
    WHERE (integration_id, lower(full_name)) IN (
      SELECT integration_id, lower(full_name)
      FROM unnest(
        ${wanted.map((each) => each.integrationId)}::uuid[],
        ${wanted.map((each) => each.fullName)}::text[]
      ) AS wanted (integration_id, full_name)
    )
    ORDER BY integration_id, lower(full_name), uuid IS NULL, updated_at DESC, id DESC`;
  return new Map(rows.map((row) => [namedRepositoryKey(row), row.id]));
}

/** Inserts targets, or changes all but the space, kind and name of those that exist. */
export async function saveTargets(tx: Database, rows: readonly TargetRow[]): Promise<void> {
  if (rows.length === 0) return;
  await forgetBaselinesOfChanged(tx, rows);
  await tx.sql`
    INSERT INTO sluice.targets
      (id, space_id, kind, name, external_id, integration_id, repository_id, tracked_branch, project_root, project_globs,
       labels, metadata, on_unknown_files, allowed_fork_workspaces, deployers, coalesce, module_version_source, enabled)
    SELECT coalesce(id, uuidv7()), space_id, kind, name, external_id, integration_id, repository_id, tracked_branch,
           project_root, project_globs::jsonb, labels::jsonb, metadata::jsonb, on_unknown_files, forks::jsonb,
           deployers::jsonb, coalesces::boolean, module_version_source, enabled::boolean
    FROM unnest(
      ${rows.map((row) => row.id)}::uuid[],
      ${rows.map((row) => row.spaceId)}::uuid[],
      ${rows.map((row) => row.kind)}::text[],
      ${rows.map((row) => row.name)}::text[],
      ${rows.map((row) => row.externalId)}::text[],
      ${rows.map((row) => row.integrationId)}::uuid[],
      ${rows.map((row) => row.repositoryId)}::uuid[],
      ${rows.map((row) => row.trackedBranch)}::text[],
      ${rows.map((row) => row.projectRoot)}::text[],
      ${rows.map((row) => JSON.stringify(row.projectGlobs))}::text[],
      ${rows.map((row) => JSON.stringify(row.labels))}::text[],
      ${rows.map((row) => JSON.stringify(row.metadata))}::text[],
      ${rows.map((row) => row.onUnknownFiles)}::text[],
      ${rows.map((row) => JSON.stringify(row.allowedForkWorkspaces))}::text[],
      ${rows.map((row) => JSON.stringify(row.deployers))}::text[],
      ${rows.map((row) => String(row.coalesce))}::text[],
      ${rows.map((row) => row.moduleVersionSource)}::text[],
      ${rows.map((row) => String(row.enabled))}::text[]
    ) AS new (id, space_id, kind, name, external_id, integration_id, repository_id, tracked_branch, project_root,
              project_globs, labels, metadata, on_unknown_files, forks, deployers, coalesces, module_version_source,
              enabled)
    ON CONFLICT (id) DO UPDATE SET
      external_id = excluded.external_id,
      integration_id = excluded.integration_id,
      repository_id = excluded.repository_id,
      tracked_branch = excluded.tracked_branch,
      project_root = excluded.project_root,
      project_globs = excluded.project_globs,
      labels = excluded.labels,
      metadata = excluded.metadata,
      on_unknown_files = excluded.on_unknown_files,
      allowed_fork_workspaces = excluded.allowed_fork_workspaces,
      deployers = excluded.deployers,
      coalesce = excluded.coalesce,
      module_version_source = excluded.module_version_source,
      enabled = excluded.enabled,
      updated_at = now()`;
}

/** Removes targets; the rows stay, because triggers refer to them. */
export async function removeTargets(tx: Database, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return;
  await forgetBaselines(tx, ids);
  await tx.sql`
    UPDATE sluice.targets SET removed_at = now(), updated_at = now()
    WHERE id = ANY(${ids}::uuid[]) AND removed_at IS NULL`;
}

/** A target that lost its integration. */
export interface DetachedTarget {
  readonly id: string;
  readonly kind: StoredTarget["kind"];
  readonly name: string;
  readonly spaceId: string;
}

/** Takes from targets the integrations that are deleted (rule 5). @returns those targets, by name. */
export async function detachTargets(
  tx: Database,
  integrationIds: readonly string[],
): Promise<DetachedTarget[]> {
  if (integrationIds.length === 0) return [];
  const detached = await tx.sql<DetachedTarget[]>`
    WITH detached AS (
      UPDATE sluice.targets SET integration_id = NULL, updated_at = now()
      WHERE integration_id = ANY(${integrationIds}::uuid[]) AND removed_at IS NULL
      RETURNING id, kind, name, space_id
    )
    SELECT id, kind, name, space_id FROM detached ORDER BY kind, name, id`;
  await forgetBaselines(
    tx,
    detached.map(({ id }) => id),
  );
  return detached;
}
