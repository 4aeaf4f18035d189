/** Stacks and modules as people see them. Removed ones are not among them. */
import type { Reach } from "@sluice/domain/access";
import type { Target } from "@sluice/domain/target";

import type { Database } from "./client.ts";
import type { StoredTarget } from "./declared-state.ts";
import { isReached } from "./reach.ts";
import { toRfc3339 } from "./rfc3339.ts";

/** A target with what it belongs to, by id and by name. Times are RFC 3339. */
export interface TargetRecord extends StoredTarget {
  readonly spaceId: string;
  /** Null: detached (rule 5). */
  readonly integrationId: string | null;
  readonly repositoryId: string;
  readonly state: Target["state"];
  readonly createdAt: string;
  readonly updatedAt: string;
}

/** What a list is narrowed to; what is left out narrows nothing. */
export interface TargetFilter {
  /** Name of the space. */
  readonly space?: string;
  readonly namePrefix?: string;
  readonly label?: string;
  /** `workspace/slug`, in any case. */
  readonly repository?: string;
  /** Name of the integration. */
  readonly integration?: string;
  readonly state?: Target["state"];
  readonly externalId?: string;
}

/** Where a page ended. */
export interface TargetPosition {
  readonly name: string;
  readonly id: string;
}

/** Targets of one kind within reach, by name; `after`: the last one of the page before. */
export async function listTargetRecords(
  db: Database,
  page: {
    readonly kind: Target["kind"];
    readonly reach: Reach;
    readonly filter: TargetFilter;
    readonly limit: number;
    readonly after: TargetPosition | null;
  },
): Promise<TargetRecord[]> {
  const { kind, reach, filter, limit, after } = page;
  const { space, namePrefix, label, repository, integration, state, externalId } = filter;
  const { sql } = db;
  const all = sql`true`;
  const rows = await sql<TargetRecord[]>`
    ${selectTargetRecords(db)}
    WHERE removed_at IS NULL AND kind = ${kind} AND ${isReached(db, reach, sql`targets.space_id`)}
      AND ${space === undefined ? all : sql`spaces.name = ${space}`}
      AND ${namePrefix === undefined ? all : sql`starts_with(targets.name, ${namePrefix})`}
      AND ${label === undefined ? all : sql`targets.labels ? ${label}`}
      AND ${repository === undefined ? all : sql`lower(full_name) = lower(${repository})`}
      AND ${integration === undefined ? all : sql`integrations.name = ${integration}`}
      AND ${state === undefined ? all : sql`${stateOfTarget(db)} = ${state}`}
      AND ${externalId === undefined ? all : sql`external_id = ${externalId}`}
      AND ${after === null ? all : sql`(targets.name, targets.id) > (${after.name}, ${after.id}::uuid)`}
    ORDER BY targets.name, targets.id
    LIMIT ${limit}`;
  return rows.map(toTargetRecord);
}

/** A target of a kind by its id; null when there is none, or it was removed. */
export async function findTargetRecord(
  db: Database,
  { id, kind }: { readonly id: string; readonly kind: Target["kind"] },
): Promise<TargetRecord | null> {
  const [row] = await db.sql<TargetRecord[]>`
    ${selectTargetRecords(db)} WHERE targets.id = ${id} AND kind = ${kind} AND removed_at IS NULL`;
  return row === undefined ? null : toTargetRecord(row);
}

/** A target by what it is known by; null when there is none, or it was removed. */
export async function findTargetNamed(
  db: Database,
  target: { readonly kind: Target["kind"]; readonly spaceId: string; readonly name: string },
): Promise<TargetRecord | null> {
  const [row] = await db.sql<TargetRecord[]>`
    ${selectTargetRecords(db)}
    WHERE targets.space_id = ${target.spaceId} AND kind = ${target.kind} AND targets.name = ${target.name}
      AND removed_at IS NULL`;
  return row === undefined ? null : toTargetRecord(row);
}

/** Every target of a kind in some spaces, by id of the space and name. */
export async function listTargetsOfSpaces(
  db: Database,
  { kind, spaceIds }: { readonly kind: Target["kind"]; readonly spaceIds: readonly string[] },
): Promise<TargetRecord[]> {
  const rows = await db.sql<TargetRecord[]>`
    ${selectTargetRecords(db)}
    WHERE targets.space_id = ANY(${[...spaceIds]}::uuid[]) AND kind = ${kind} AND removed_at IS NULL
    ORDER BY targets.space_id, targets.name`;
  return rows.map(toTargetRecord);
}

/** The whole of a target's row with the names around it; for `toTargetRecord`. */
export function selectTargetRecords({ sql }: Database) {
  return sql`
    SELECT targets.id, kind, targets.name, targets.space_id, spaces.name AS space, integrations.id AS integration_id,
           integrations.name AS integration, repository_id, full_name AS repository,
           repositories.uuid IS NOT NULL AS repository_is_seen,
           NOT EXISTS (
             SELECT FROM sluice.repositories AS later
             WHERE later.integration_id = repositories.integration_id
               AND lower(later.full_name) = lower(repositories.full_name)
               AND (later.uuid IS NULL, repositories.updated_at, repositories.id)
                 < (repositories.uuid IS NULL, later.updated_at, later.id)
           ) AS repository_is_latest, tracked_branch,
           project_root, project_globs, targets.labels, external_id, metadata, on_unknown_files,
           allowed_fork_workspaces, deployers, targets.coalesce, module_version_source, targets.enabled,
           ${stateOfTarget({ sql })} AS state, targets.created_at, targets.updated_at
    FROM sluice.targets
    JOIN sluice.spaces ON spaces.id = targets.space_id
    JOIN sluice.repositories ON repositories.id = targets.repository_id
    LEFT JOIN sluice.integrations ON integrations.id = targets.integration_id AND integrations.deleted_at IS NULL`;
}

/** A row of `selectTargetRecords`. */
export function toTargetRecord(row: TargetRecord): TargetRecord {
  return { ...row, createdAt: toRfc3339(row.createdAt), updatedAt: toRfc3339(row.updatedAt) };
}

/** An integration that is switched off switches off its targets. */
function stateOfTarget({ sql }: Database) {
  return sql`
    CASE WHEN integrations.id IS NULL THEN 'detached'
         WHEN targets.enabled AND integrations.enabled THEN 'active'
         ELSE 'disabled' END`;
}
