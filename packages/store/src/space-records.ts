/** Spaces as people see them, and what is in them. */
import type { Database } from "./client.ts";
import { toRfc3339 } from "./rfc3339.ts";

/** A space. */
export interface SpaceRecord {
  readonly id: string;
  readonly name: string;
  /** Null for the root alone. */
  readonly parentId: string | null;
  /** Name of the parent. */
  readonly parent: string | null;
  readonly inheritEntities: boolean;
  /** RFC 3339. */
  readonly createdAt: string;
}

/** Something that belongs to a space. */
export interface SpaceUse {
  readonly kind: "space" | "integration" | "stack" | "module" | "api_key";
  readonly id: string;
  readonly name: string;
}

/** Every space, the root first, then by name. */
export async function listSpaceRecords(db: Database): Promise<SpaceRecord[]> {
  const rows = await db.sql<SpaceRecord[]>`
    SELECT spaces.id, spaces.name, spaces.parent_id, parents.name AS parent, spaces.inherit_entities, spaces.created_at
    FROM sluice.spaces LEFT JOIN sluice.spaces AS parents ON parents.id = spaces.parent_id
    ORDER BY spaces.parent_id IS NOT NULL, spaces.name`;
  return rows.map((row) => ({ ...row, createdAt: toRfc3339(row.createdAt) }));
}

/** What keeps a space from being deleted, by kind and name. Removed, deleted and revoked things do not. */
export async function listSpaceUses(db: Database, spaceId: string): Promise<SpaceUse[]> {
  return db.sql<SpaceUse[]>`
    SELECT 'space' AS kind, id, name FROM sluice.spaces WHERE parent_id = ${spaceId}
    UNION ALL
    SELECT 'integration', id, name FROM sluice.integrations WHERE space_id = ${spaceId} AND deleted_at IS NULL
    UNION ALL
    SELECT kind, id, name FROM sluice.targets WHERE space_id = ${spaceId} AND removed_at IS NULL
    UNION ALL
    SELECT 'api_key', id, name FROM sluice.api_keys WHERE space_id = ${spaceId} AND revoked_at IS NULL
    ORDER BY kind, name, id`;
}

/** A target, and the space of the integration that it uses; null: the default one. */
export interface IntegrationUse {
  readonly kind: "stack" | "module";
  readonly id: string;
  readonly name: string;
  readonly space: string;
  readonly integration: string;
  readonly integrationSpace: string;
}

/** The targets that use an integration of another space than their own: what a move of spaces may part. */
export async function listInheritedUses(db: Database): Promise<IntegrationUse[]> {
  return db.sql<IntegrationUse[]>`
    SELECT kind, targets.id, targets.name, spaces.name AS space, integrations.name AS integration,
           owners.name AS integration_space
    FROM sluice.targets
    JOIN sluice.spaces ON spaces.id = targets.space_id
    JOIN sluice.integrations ON integrations.id = targets.integration_id AND deleted_at IS NULL
    JOIN sluice.spaces AS owners ON owners.id = integrations.space_id
    WHERE removed_at IS NULL AND targets.space_id <> integrations.space_id
    ORDER BY spaces.name, kind, targets.name`;
}

/** An integration that is not deleted, by name and by the space that it belongs to. */
export interface IntegrationPlace {
  readonly id: string;
  readonly name: string;
  /** Null: the default integration. */
  readonly space: string | null;
}

/** Every integration that is not deleted, held until the transaction ends: none is deleted or moved meanwhile. */
export async function lockIntegrationPlaces(tx: Database): Promise<IntegrationPlace[]> {
  return tx.sql<IntegrationPlace[]>`
    SELECT integrations.id, integrations.name, spaces.name AS space
    FROM sluice.integrations LEFT JOIN sluice.spaces ON spaces.id = integrations.space_id
    WHERE deleted_at IS NULL
    ORDER BY integrations.id
    FOR SHARE OF integrations`;
}
