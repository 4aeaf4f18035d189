/** Targets by the names that people give them. There are thousands at most: a scan of the table is no matter. */
import type { Target } from "@sluice/domain/target";

import type { Database } from "./client.ts";
import { toRfc3339 } from "./rfc3339.ts";

/** One of the targets of a name: a name is unique within a space and a kind, among those that are not removed. */
export interface NamedTarget {
  readonly id: string;
  readonly kind: Target["kind"];
  readonly name: string;
  readonly space: string;
  /** `workspace/slug`. */
  readonly repository: string;
  readonly repositoryId: string;
  /** RFC 3339. */
  readonly createdAt: string;
  /** RFC 3339; null: it is there. */
  readonly removedAt: string | null;
}

/** Every target of this name, removed ones last. */
export async function listTargetsNamed(db: Database, name: string): Promise<NamedTarget[]> {
  const rows = await db.sql<NamedTarget[]>`
    SELECT targets.id, targets.kind, targets.name, spaces.name AS space, repositories.full_name AS repository,
           targets.repository_id, targets.created_at, targets.removed_at
    FROM sluice.targets
    JOIN sluice.spaces ON spaces.id = targets.space_id
    JOIN sluice.repositories ON repositories.id = targets.repository_id
    WHERE targets.name = ${name}
    ORDER BY targets.removed_at DESC NULLS FIRST, spaces.name, targets.kind`;
  return rows.map((row) => ({
    ...row,
    createdAt: toRfc3339(row.createdAt),
    removedAt: row.removedAt === null ? null : toRfc3339(row.removedAt),
  }));
}

/** The name of every target that is not removed, each once. */
export async function listTargetNames(db: Database): Promise<string[]> {
  const rows = await db.sql<{ name: string }[]>`
    SELECT DISTINCT name FROM sluice.targets WHERE removed_at IS NULL ORDER BY name`;
  return rows.map(({ name }) => name);
}
