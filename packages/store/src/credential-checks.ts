/** When which credential is tried at Bitbucket, by one worker at a time. Times are those of the database's clock. */
import type { Database } from "./client.ts";
import type { IntegrationCredential } from "./integrations.ts";
import { toRfc3339 } from "./rfc3339.ts";

/** Why a credential is to be checked. */
export type DueReason =
  /** Nothing is known of it. */
  | "unknown"
  | "refused"
  /** Its integration was changed since it was checked. */
  | "changed"
  /** It has just passed a check, so that there is nothing to ask: only who waits for it is to be told (again). */
  | "passed"
  /** It was doubted, which stops nobody. */
  | "doubted";

/** A credential that is to be checked now, as it is stored. */
export interface DueCheck {
  readonly integrationId: string;
  /** The integration's name. */
  readonly integration: string;
  readonly credential: IntegrationCredential;
  readonly because: DueReason;
  /** How long it has been refused, or not refused, in ms; 0 when nothing was known of the credential. */
  readonly forMs: number;
}

/** How long a credential whose check has passed is not doubted again. */
const DOUBT_AFTER_MS = 5 * 60_000;

/** Whoever waits for a credential that has passed was told: no check is due, unless it was refused meanwhile. */
export async function finishCheck(db: Database, integrationId: string): Promise<void> {
  await db.sql`
    UPDATE sluice.credential_health SET next_check_at = NULL
    WHERE integration_id = ${integrationId} AND state = 'ok'`;
}

/** Nothing was learned: it stays as it is, and its next check is due in `afterMs`. */
export async function postponeCheck(db: Database, integrationId: string, afterMs: number): Promise<void> {
  await db.sql`
    UPDATE sluice.credential_health SET next_check_at = now() + ${afterMs}::bigint * interval '1 millisecond'
    WHERE integration_id = ${integrationId}`;
}

/** Has a credential checked that goes on being used, unless it was checked within the last five minutes or is to be. */
export async function doubtCredential(db: Database, integrationId: string): Promise<void> {
  await db.sql`
    UPDATE sluice.credential_health SET next_check_at = now()
    WHERE integration_id = ${integrationId} AND state = 'ok' AND next_check_at IS NULL
      AND coalesce(checked_at, since) < now() - ${DOUBT_AFTER_MS}::int * interval '1 millisecond'`;
}

/**
 * Takes checks that are due: nobody else is given them before `takeForMs` are over. Due are those whose time has come, and
 * at once those of credentials of which nothing is known, of integrations that were changed since they were checked, and of
 * credentials that passed a check which was not a worker's: whoever waits for them is still to be told. An integration
 * without targets asks Bitbucket for nothing, and has nothing to be checked with.
 */
export async function claimDueChecks(
  db: Database,
  { takeForMs, limit }: { readonly takeForMs: number; readonly limit: number },
): Promise<DueCheck[]> {
  const rows = await db.sql<(Omit<DueCheck, "credential"> & Omit<IntegrationCredential, "id">)[]>`
    WITH due AS (
      SELECT integrations.id, integrations.updated_at,
             CASE
               WHEN health.integration_id IS NULL THEN 'unknown'
               WHEN state = 'refused' THEN 'refused'
               WHEN updated_at > greatest(checked_at, since) THEN 'changed'
               WHEN checked_at IS NULL THEN 'unknown'
               WHEN checked_at = since OR checked_at > now() - ${DOUBT_AFTER_MS}::int * interval '1 millisecond' THEN 'passed'
               ELSE 'doubted'
             END AS because
      FROM sluice.integrations
      LEFT JOIN sluice.credential_health AS health ON health.integration_id = integrations.id
      -- For each that may be due, by its repositories: without LIMIT, all targets would be read each time.
      JOIN LATERAL (
        SELECT FROM sluice.repositories JOIN sluice.targets ON repository_id = repositories.id
        WHERE repositories.integration_id = integrations.id AND targets.integration_id = integrations.id
          AND removed_at IS NULL AND targets.enabled
        LIMIT 1
      ) AS used ON true
      WHERE deleted_at IS NULL AND integrations.enabled AND credential_ciphertext IS NOT NULL
        AND (health.integration_id IS NULL OR coalesce(next_check_at <= now(), state = 'refused' OR checked_at = since)
             OR updated_at > greatest(checked_at, since))
      ORDER BY integrations.id LIMIT ${limit}
    ), taken AS (
      -- Who comes second finds what the first one has written, and takes nothing.
      INSERT INTO sluice.credential_health AS health (integration_id, state, next_check_at)
      SELECT id, 'ok', now() + ${takeForMs}::bigint * interval '1 millisecond' FROM due
      ON CONFLICT (integration_id) DO UPDATE SET checked_at = now(), next_check_at = excluded.next_check_at
      WHERE coalesce(health.next_check_at <= now(), health.state = 'refused' OR health.checked_at = health.since)
         OR (SELECT updated_at FROM due WHERE due.id = health.integration_id) > greatest(health.checked_at, health.since)
      RETURNING integration_id, since
    )
    SELECT integration_id, name AS integration, credential_kind AS kind, credential_email AS email,
           credential_ciphertext AS ciphertext, because,
           greatest(0, extract(epoch FROM now() - since) * 1000)::float8 AS for_ms
    FROM taken JOIN due ON due.id = integration_id JOIN sluice.integrations ON integrations.id = integration_id
    ORDER BY integration_id`;
  return rows.map(({ kind, email, ciphertext, ...due }) => ({
    ...due,
    credential: { id: due.integrationId, kind, email, ciphertext },
  }));
}

/** A repository that a credential is tried with. */
export interface ProbedRepository {
  /** Null until a delivery or a sweep has told it. */
  readonly uuid: string | null;
  /** `workspace/slug`. */
  readonly fullName: string;
}

/**
 * Repositories of an integration, those first that tell most about its credential: with targets, and that a sweep could read
 * last.
 */
export async function listProbedRepositories(
  db: Database,
  integrationId: string,
  limit: number,
): Promise<ProbedRepository[]> {
  return db.sql<ProbedRepository[]>`
    SELECT uuid, full_name FROM sluice.repositories
    LEFT JOIN sluice.repository_sweeps ON repository_id = repositories.id
    WHERE integration_id = ${integrationId}
    ORDER BY NOT EXISTS (
               SELECT FROM sluice.targets
               WHERE targets.repository_id = repositories.id AND removed_at IS NULL AND enabled
             ),
             failing_since IS NOT NULL, swept_at DESC NULLS LAST, repositories.id
    LIMIT ${limit}`;
}

/**
 * Undecided events of an integration's repositories, which may wait for its credential. A page of at most `limit` ids,
 * after `afterId`; null: from the first one.
 */
export async function listEventsOfIntegration(
  db: Database,
  page: { readonly integrationId: string; readonly afterId: string | null; readonly limit: number },
): Promise<string[]> {
  const { integrationId, afterId, limit } = page;
  const rows = await db.sql<{ id: string }[]>`
    SELECT id FROM sluice.events
    WHERE repository_id IN (SELECT id FROM sluice.repositories WHERE integration_id = ${integrationId})
      AND decided_at IS NULL AND (${afterId}::uuid IS NULL OR id > ${afterId}::uuid)
    ORDER BY id LIMIT ${limit}`;
  return rows.map(({ id }) => id);
}

/** How the credential of an integration stands, for metrics and warnings. */
export interface CredentialStanding {
  readonly integrationId: string;
  /** The integration's name. */
  readonly integration: string;
  readonly isRefused: boolean;
  /** RFC 3339; null: not known. */
  readonly expiresAt: string | null;
  /** Until `expiresAt`, in days with a fraction, below 0 after it; null: not known. */
  readonly expiresInDays: number | null;
}

/** Of every integration that has a credential. */
export async function listCredentialStandings(db: Database): Promise<CredentialStanding[]> {
  const rows = await db.sql<CredentialStanding[]>`
    SELECT integrations.id AS integration_id, name AS integration, coalesce(state = 'refused', false) AS is_refused,
           credential_expires_at AS expires_at,
           (extract(epoch FROM credential_expires_at - now()) / 86400)::float8 AS expires_in_days
    FROM sluice.integrations LEFT JOIN sluice.credential_health ON credential_health.integration_id = integrations.id
    WHERE deleted_at IS NULL AND credential_ciphertext IS NOT NULL
    ORDER BY name`;
  return rows.map((row) => ({ ...row, expiresAt: row.expiresAt === null ? null : toRfc3339(row.expiresAt) }));
}
