/** The keys of the API, by the digest of what only their holder has. */
import type { Reach, Role } from "@sluice/domain/access";

import type { Database } from "./client.ts";
import { isReached } from "./reach.ts";
import { toRfc3339 } from "./rfc3339.ts";

/** A key as a request finds it. */
export interface StoredGrant {
  readonly id: string;
  readonly name: string;
  readonly role: Role;
  readonly reach: Reach;
  /** `expired` and `revoked` ones are told so: whoever sends one had it. */
  readonly standing: "valid" | "expired" | "revoked";
}

/** A key as people see it. Times are RFC 3339. */
export interface ApiKeyRecord {
  readonly id: string;
  readonly name: string;
  readonly prefix: string;
  readonly role: Role;
  readonly spaceId: string;
  readonly space: string;
  readonly expiresAt: string | null;
  readonly revokedAt: string | null;
  /** Exact to a minute. */
  readonly lastUsedAt: string | null;
  readonly createdAt: string;
}

/** A key to write. */
export interface NewApiKey {
  readonly name: string;
  readonly prefix: string;
  /** SHA-256 of the key, 64 hex digits. */
  readonly digest: string;
  readonly role: Role;
  readonly spaceId: string;
  /** RFC 3339; null: without an end. */
  readonly expiresAt: string | null;
}

type GrantRow = Omit<StoredGrant, "reach"> & {
  readonly isEverywhere: boolean;
  readonly spaceIds: readonly string[];
};

/**
 * The grant of a key, with the spaces that it holds in; null for a key that is not known. `lock`: nobody revokes the key
 * before the transaction ends.
 */
export async function findGrant(
  db: Database,
  key: { readonly digest: string } | { readonly id: string },
  { lock = false }: { readonly lock?: boolean } = {},
): Promise<StoredGrant | null> {
  const isKey = "digest" in key ? db.sql`digest = ${key.digest}` : db.sql`id = ${key.id}`;
  const [row] = await db.sql<GrantRow[]>`
    WITH RECURSIVE found AS (
      SELECT * FROM sluice.api_keys WHERE ${isKey} ${lock ? db.sql`FOR SHARE` : db.sql``}
    ), reached AS (
      SELECT spaces.id FROM found JOIN sluice.spaces ON spaces.id = found.space_id
      UNION
      SELECT child.id FROM reached JOIN sluice.spaces AS child ON child.parent_id = reached.id
      WHERE child.inherit_entities
    )
    SELECT found.id, found.name, role, role = 'admin' AND spaces.parent_id IS NULL AS is_everywhere,
           ARRAY(SELECT id FROM reached) AS space_ids,
           CASE WHEN revoked_at IS NOT NULL THEN 'revoked' WHEN expires_at <= now() THEN 'expired' ELSE 'valid' END
             AS standing
    FROM found JOIN sluice.spaces ON spaces.id = found.space_id`;
  if (row === undefined) return null;
  const { isEverywhere, spaceIds, ...grant } = row;
  return { ...grant, reach: isEverywhere ? { kind: "everywhere" } : { kind: "spaces", spaceIds } };
}

/** Notes that a key was used, if that was not noted in the last minute. */
export async function markKeyUsed(db: Database, id: string): Promise<void> {
  await db.sql`
    UPDATE sluice.api_keys SET last_used_at = now()
    WHERE id = ${id} AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute')`;
}

/** Writes a key. @returns null when its space has a key of that name which is not revoked. */
export async function insertApiKey(db: Database, key: NewApiKey): Promise<ApiKeyRecord | null> {
  const [row] = await db.sql<{ id: string }[]>`
    INSERT INTO sluice.api_keys (name, prefix, digest, role, space_id, expires_at)
    VALUES (${key.name}, ${key.prefix}, ${key.digest}, ${key.role}, ${key.spaceId}, ${key.expiresAt})
    ON CONFLICT (space_id, name) WHERE revoked_at IS NULL DO NOTHING
    RETURNING id`;
  if (row === undefined) return null;
  return findApiKey(db, row.id);
}

/**
 * Writes the first key, of an admin of the root. @returns false when there is a key already, revoked ones included: of
 * several processes that start at once, with one name for it, one makes it.
 */
export async function insertFirstApiKey(
  db: Database,
  key: Omit<NewApiKey, "spaceId" | "role" | "expiresAt">,
): Promise<boolean> {
  const rows = await db.sql`
    INSERT INTO sluice.api_keys (name, prefix, digest, role, space_id)
    SELECT ${key.name}, ${key.prefix}, ${key.digest}, 'admin', id FROM sluice.spaces
    WHERE parent_id IS NULL AND NOT EXISTS (SELECT FROM sluice.api_keys)
    ON CONFLICT (space_id, name) WHERE revoked_at IS NULL DO NOTHING
    RETURNING id`;
  return rows.length > 0;
}

/** Null when there is none. */
export async function findApiKey(db: Database, id: string): Promise<ApiKeyRecord | null> {
  const [row] = await db.sql<ApiKeyRecord[]>`${selectKeys(db)} WHERE api_keys.id = ${id}`;
  return row === undefined ? null : toRecord(row);
}

/** Keys within reach, by name; `after`: the last one of the page before. */
export async function listApiKeys(
  db: Database,
  page: {
    readonly reach: Reach;
    readonly limit: number;
    readonly after: { readonly name: string; readonly id: string } | null;
  },
): Promise<ApiKeyRecord[]> {
  const { reach, limit, after } = page;
  const rows = await db.sql<ApiKeyRecord[]>`
    ${selectKeys(db)}
    WHERE ${isReached(db, reach, db.sql`api_keys.space_id`)}
      AND ${after === null ? db.sql`true` : db.sql`(api_keys.name, api_keys.id) > (${after.name}, ${after.id}::uuid)`}
    ORDER BY api_keys.name, api_keys.id
    LIMIT ${limit}`;
  return rows.map(toRecord);
}

/** Holds keys until the transaction ends, in one order: two that revoke each other do not wait for each other for ever. */
export async function lockApiKeys(tx: Database, ids: readonly string[]): Promise<void> {
  await tx.sql`SELECT FROM sluice.api_keys WHERE id = ANY(${[...ids]}::uuid[]) ORDER BY id FOR UPDATE`;
}

/** Revokes a key, from this commit on. @returns false when it is revoked already, or not there. */
export async function revokeApiKey(db: Database, id: string): Promise<boolean> {
  const rows = await db.sql`
    UPDATE sluice.api_keys SET revoked_at = now() WHERE id = ${id} AND revoked_at IS NULL RETURNING id`;
  return rows.length > 0;
}

function selectKeys(db: Database) {
  return db.sql`
    SELECT api_keys.id, api_keys.name, prefix, role, space_id, spaces.name AS space, expires_at, revoked_at, last_used_at,
           api_keys.created_at
    FROM sluice.api_keys JOIN sluice.spaces ON spaces.id = api_keys.space_id`;
}

function toRecord(row: ApiKeyRecord): ApiKeyRecord {
  const time = (value: string | null) => (value === null ? null : toRfc3339(value));
  return {
    ...row,
    expiresAt: time(row.expiresAt),
    revokedAt: time(row.revokedAt),
    lastUsedAt: time(row.lastUsedAt),
    createdAt: toRfc3339(row.createdAt),
  };
}
