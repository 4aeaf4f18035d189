/** Integrations as people see them, and what becomes of them. Deleted ones are not among them. */
import type { Reach } from "@sluice/domain/access";

import type { Database } from "./client.ts";
import type { StoredIntegration } from "./declared-state.ts";
import { isReached } from "./reach.ts";
import { lockRepositories } from "./repositories.ts";
import { toRfc3339 } from "./rfc3339.ts";

/** An integration with the space that owns it. Secrets are still encrypted. */
export interface IntegrationRecord extends StoredIntegration {
  /** Null for the default integration. */
  readonly spaceId: string | null;
  /** RFC 3339. */
  readonly createdAt: string;
  /** RFC 3339. */
  readonly updatedAt: string;
}

/** An integration that stands in the way of a new one. */
export interface IntegrationConflict {
  readonly id: string;
  readonly name: string;
  readonly spaceId: string | null;
  /** `slug`: another name, but the same endpoint. */
  readonly on: "name" | "slug" | "default";
}

/** Which of the secrets verified the last delivery, and when it came. */
export interface LastVerified {
  readonly deliveryId: string;
  /** RFC 3339, by the clock of the ingress. */
  readonly receivedAt: string;
  /** What the secret is now: after a rotation the one that was current is the previous one. `older`: neither of the two. */
  readonly verifiedBy: "current" | "previous" | "older";
}

/** The audit log's word for a new webhook secret in the place of another one. */
export const SECRET_ROTATED = "webhook_secret.rotated";

/** The budget of an integration that has no row yet: the column's default. */
const DEFAULT_CALLS_PER_HOUR = 1000;

/** Every integration, ordered by name. */
export async function listAllIntegrations(db: Database): Promise<IntegrationRecord[]> {
  const rows = await db.sql<IntegrationRecord[]>`
    ${selectIntegrations(db)} WHERE deleted_at IS NULL ORDER BY integrations.name`;
  return rows.map(toRecord);
}

/** The default integration and those of the spaces within reach, by name; `after`: the last one of the page before. */
export async function listIntegrationRecords(
  db: Database,
  page: {
    readonly reach: Reach;
    readonly limit: number;
    readonly after: { readonly name: string; readonly id: string } | null;
  },
): Promise<IntegrationRecord[]> {
  const { reach, limit, after } = page;
  const { sql } = db;
  const rows = await sql<IntegrationRecord[]>`
    ${selectIntegrations(db)}
    WHERE deleted_at IS NULL
      AND (integrations.space_id IS NULL OR ${isReached(db, reach, sql`integrations.space_id`)})
      AND ${after === null ? sql`true` : sql`(integrations.name, integrations.id) > (${after.name}, ${after.id}::uuid)`}
    ORDER BY integrations.name, integrations.id
    LIMIT ${limit}`;
  return rows.map(toRecord);
}

/** Null when there is none, or it is deleted. `lock`: nobody changes or deletes it before the transaction ends. */
export async function findIntegrationRecord(
  db: Database,
  id: string,
  { lock = false }: { readonly lock?: boolean } = {},
): Promise<IntegrationRecord | null> {
  const [row] = await db.sql<IntegrationRecord[]>`
    ${selectIntegrations(db)} WHERE integrations.id = ${id} AND deleted_at IS NULL
    ${lock ? db.sql`FOR NO KEY UPDATE OF integrations` : db.sql``}`;
  return row === undefined ? null : toRecord(row);
}

/**
 * What a new integration would collide with: one of its name before one of its endpoint, and that before the default, which
 * only a default is in the way of. Null: nothing. The caller holds `lockDeclaredState`.
 */
export async function findIntegrationConflict(
  db: Database,
  { name, slug, isDefault }: { readonly name: string; readonly slug: string; readonly isDefault: boolean },
): Promise<IntegrationConflict | null> {
  const [row] = await db.sql<IntegrationConflict[]>`
    SELECT id, name, space_id,
           CASE WHEN name = ${name} THEN 'name' WHEN slug = ${slug} THEN 'slug' ELSE 'default' END AS "on"
    FROM sluice.integrations
    WHERE deleted_at IS NULL AND (name = ${name} OR slug = ${slug} OR ${isDefault} AND space_id IS NULL)
    ORDER BY name = ${name} DESC, slug = ${slug} DESC
    LIMIT 1`;
  return row ?? null;
}

/** A repository that targets of the integration use, to try its credential on; null: there is none. */
export async function findRepositoryToCheck(db: Database, integrationId: string): Promise<string | null> {
  const [row] = await db.sql<{ fullName: string }[]>`
    SELECT full_name FROM sluice.repositories
    WHERE integration_id = ${integrationId} AND EXISTS (
      SELECT FROM sluice.targets WHERE repository_id = repositories.id AND removed_at IS NULL
    )
    ORDER BY lower(full_name), id LIMIT 1`;
  return row?.fullName ?? null;
}

/**
 * By `deliveries_integration_idx`. What came before a rotation was verified by what is now the secret before: the audit log
 * tells of rotations. Null: no webhook was verified, as far as deliveries are kept.
 */
export async function findLastVerified(db: Database, integrationId: string): Promise<LastVerified | null> {
  const [row] = await db.sql<
    (Omit<LastVerified, "verifiedBy"> & { secretVersion: "current" | "previous"; rotations: number })[]
  >`
    SELECT deliveries.id AS delivery_id, received_at, secret_version, (
             SELECT count(*)::int FROM sluice.audit_log
             WHERE subject_id = ${integrationId} AND action = ${SECRET_ROTATED} AND at > received_at
           ) AS rotations
    FROM sluice.deliveries
    WHERE integration_id = ${integrationId} AND source = 'webhook'
    ORDER BY recorded_at DESC, deliveries.id DESC LIMIT 1`;
  if (row === undefined) return null;
  const { deliveryId, receivedAt, secretVersion, rotations } = row;
  const age = rotations + (secretVersion === "current" ? 0 : 1);
  const verifiedBy = age === 0 ? "current" : age === 1 ? "previous" : "older";
  return { deliveryId, receivedAt: toRfc3339(receivedAt), verifiedBy };
}

/**
 * Holds the repositories of an integration's targets until the transaction ends, as deliveries do before they touch targets:
 * call it before the targets are changed.
 */
export async function lockRepositoriesOfTargets(tx: Database, integrationId: string): Promise<void> {
  const rows = await tx.sql<{ id: string }[]>`
    SELECT DISTINCT repository_id AS id FROM sluice.targets
    WHERE integration_id = ${integrationId} AND removed_at IS NULL`;
  await lockRepositories(
    tx,
    rows.map(({ id }) => id),
  );
}

function selectIntegrations({ sql }: Database) {
  return sql`
    SELECT integrations.id, integrations.name, slug, integrations.space_id, spaces.name AS space, credential_kind,
           credential_email, credential_ciphertext, credential_expires_at, webhook_secret_ciphertext,
           previous_secret_ciphertext, previous_secret_expires_at, checks_mode, labels, description,
           coalesce(calls_per_hour, ${DEFAULT_CALLS_PER_HOUR}::int) AS calls_per_hour, enabled,
           integrations.created_at, integrations.updated_at
    FROM sluice.integrations
    LEFT JOIN sluice.spaces ON spaces.id = integrations.space_id
    LEFT JOIN sluice.call_budgets ON call_budgets.integration_id = integrations.id`;
}

function toRecord(row: IntegrationRecord): IntegrationRecord {
  return { ...row, createdAt: toRfc3339(row.createdAt), updatedAt: toRfc3339(row.updatedAt) };
}
