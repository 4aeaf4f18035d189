/** Writes the spaces of a declarative file. */
import { AppError } from "@sluice/domain/app-error";
import postgres from "postgres";

import type { Database } from "./client.ts";

/** A space to write, with the id of its parent. */
export interface SpaceRow {
  readonly id: string;
  readonly name: string;
  readonly parentId: string;
  readonly inheritEntities: boolean;
}

/** Draws `count` new ids, for rows that refer to one another before they are written. */
export async function drawIds(db: Database, count: number): Promise<string[]> {
  if (count === 0) return [];
  const rows = await db.sql<{ id: string }[]>`SELECT uuidv7() AS id FROM generate_series(1, ${count}::int)`;
  return rows.map((row) => row.id);
}

/**
 * Inserts spaces, or changes the parent and inheritance of those that exist. Parents may be among them.
 *
 * Booleans go as text, here and elsewhere: the driver takes a list of them for one (postgres 3.4.9, `inferType`).
 */
export async function saveSpaces(db: Database, rows: readonly SpaceRow[]): Promise<void> {
  if (rows.length === 0) return;
  await db.sql`
    INSERT INTO sluice.spaces (id, name, parent_id, inherit_entities)
    SELECT id, name, parent_id, inherit_entities::boolean FROM unnest(
      ${rows.map((row) => row.id)}::uuid[],
      ${rows.map((row) => row.name)}::text[],
      ${rows.map((row) => row.parentId)}::uuid[],
      ${rows.map((row) => String(row.inheritEntities))}::text[]
    ) AS new (id, name, parent_id, inherit_entities)
    ON CONFLICT (id) DO UPDATE SET parent_id = excluded.parent_id, inherit_entities = excluded.inherit_entities`;
}

/**
 * Deletes spaces. What is left in them of removed targets, deleted integrations and revoked keys goes to the root, since it
 * is kept for the sake of what refers to it. @throws AppError `space_in_use` when something that is in use belongs to one.
 */
export async function deleteSpaces(db: Database, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return;
  await db.sql`
    UPDATE sluice.targets SET space_id = (SELECT id FROM sluice.spaces WHERE parent_id IS NULL)
    WHERE space_id = ANY(${ids}::uuid[]) AND removed_at IS NOT NULL`;
  await db.sql`
    UPDATE sluice.integrations SET space_id = (SELECT id FROM sluice.spaces WHERE parent_id IS NULL)
    WHERE space_id = ANY(${ids}::uuid[]) AND deleted_at IS NOT NULL`;
  await db.sql`
    UPDATE sluice.api_keys SET space_id = (SELECT id FROM sluice.spaces WHERE parent_id IS NULL)
    WHERE space_id = ANY(${ids}::uuid[]) AND revoked_at IS NOT NULL`;
  try {
    await db.sql`DELETE FROM sluice.spaces WHERE id = ANY(${ids}::uuid[])`;
  } catch (cause) {
    if (!(cause instanceof postgres.PostgresError) || cause.code !== FOREIGN_KEY_VIOLATION) throw cause;
    throw new AppError(
      "space_in_use",
      `a space cannot be removed, because rows of ${cause.table_name ?? "another table"} belong to it: remove or move those first`,
      { retry: "never", cause },
    );
  }
}

/** https://www.postgresql.org/docs/18/errcodes-appendix.html */
const FOREIGN_KEY_VIOLATION = "23503";
