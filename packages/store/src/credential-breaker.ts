/**
 * While Bitbucket refuses a credential nobody calls with it, until a check passes (`credential-checks.ts`). All workers share
 * what is known of that: here, by the clock of the database.
 */
import type { Database } from "./client.ts";
import { toRfc3339 } from "./rfc3339.ts";

/** Why nobody calls with a credential. */
export interface CredentialRefused {
  /** RFC 3339. */
  readonly since: string;
  /** The status that Bitbucket refused with; null: it was not kept. */
  readonly httpStatus: number | null;
  /** What failed, what Bitbucket said and what to do; null: it was not kept. */
  readonly message: string | null;
  /** RFC 3339; null: with the next round of checks. */
  readonly nextCheckAt: string | null;
  /** Until `nextCheckAt`, in ms; 0 when that is now, or past. */
  readonly nextCheckInMs: number;
}

/** What a refusal or a check was of: of a credential that was replaced meanwhile nothing is kept. */
interface OfCredential {
  readonly integrationId: string;
  readonly credentialCiphertext: string;
}

/** How soon after a check has passed those who wait are told again: who was just being told to wait missed the first time. */
const TELL_AGAIN_AFTER_MS = 10_000;

/** @returns null while it may be used. */
export async function findCredentialRefused(
  db: Database,
  integrationId: string,
): Promise<CredentialRefused | null> {
  const [row] = await db.sql<CredentialRefused[]>`
    SELECT since, http_status, message, next_check_at,
           greatest(0, coalesce(ceil(extract(epoch FROM next_check_at - now()) * 1000), 0))::int AS next_check_in_ms
    FROM sluice.credential_health WHERE integration_id = ${integrationId} AND state = 'refused'`;
  if (row === undefined) return null;
  const nextCheckAt = row.nextCheckAt === null ? null : toRfc3339(row.nextCheckAt);
  return { ...row, since: toRfc3339(row.since), nextCheckAt };
}

/**
 * Nobody calls with it from now on. @returns the name of its integration; null when that was so already, or the credential
 * is another by now.
 */
export async function openBreaker(
  db: Database,
  refusal: OfCredential & {
    readonly httpStatus: number;
    readonly message: string;
    readonly nextCheckInMs: number;
  },
): Promise<string | null> {
  const { integrationId, credentialCiphertext, httpStatus, message, nextCheckInMs } = refusal;
  const [row] = await db.sql<{ integration: string }[]>`
    INSERT INTO sluice.credential_health AS health (integration_id, state, http_status, message, next_check_at)
    SELECT id, 'refused', ${httpStatus}::int, ${message}, now() + ${nextCheckInMs}::bigint * interval '1 millisecond'
    FROM sluice.integrations
    WHERE id = ${integrationId} AND deleted_at IS NULL AND credential_ciphertext = ${credentialCiphertext}
    ON CONFLICT (integration_id) DO UPDATE SET
      state = excluded.state, since = excluded.since, http_status = excluded.http_status, message = excluded.message,
      next_check_at = excluded.next_check_at
    WHERE health.state = 'ok'
    RETURNING (SELECT name FROM sluice.integrations WHERE id = ${integrationId}) AS integration`;
  return row?.integration ?? null;
}

/** It is used again from now on; whoever waits is to be told, and soon once more. @returns whether it was refused until now. */
export async function closeBreaker(
  db: Database,
  { integrationId, credentialCiphertext }: OfCredential,
): Promise<boolean> {
  const [row] = await db.sql<{ wasRefused: boolean }[]>`
    WITH before AS MATERIALIZED (
      SELECT health.integration_id, health.state FROM sluice.credential_health AS health
      JOIN sluice.integrations ON integrations.id = integration_id
      WHERE integration_id = ${integrationId} AND deleted_at IS NULL AND credential_ciphertext = ${credentialCiphertext}
      FOR NO KEY UPDATE OF health
    )
    UPDATE sluice.credential_health AS health SET
      state = 'ok', http_status = NULL, message = NULL, checked_at = now(),
      since = CASE WHEN before.state = 'refused' THEN now() ELSE since END,
      next_check_at = CASE
        WHEN before.state = 'refused' OR since > now() - ${TELL_AGAIN_AFTER_MS}::int * interval '1 millisecond'
        THEN now() + ${TELL_AGAIN_AFTER_MS}::int * interval '1 millisecond'
      END
    FROM before WHERE health.integration_id = before.integration_id
    RETURNING before.state = 'refused' AS was_refused`;
  return row?.wasRefused ?? false;
}

/** It is still refused; its next check is due in `nextCheckInMs`. */
export async function keepBreakerOpen(
  db: Database,
  refusal: OfCredential & {
    readonly httpStatus: number;
    readonly message: string;
    readonly nextCheckInMs: number;
  },
): Promise<void> {
  const { integrationId, credentialCiphertext, httpStatus, message, nextCheckInMs } = refusal;
  await db.sql`
    UPDATE sluice.credential_health
    SET http_status = ${httpStatus}, message = ${message},
        next_check_at = now() + ${nextCheckInMs}::bigint * interval '1 millisecond'
    FROM sluice.integrations
    WHERE integration_id = ${integrationId} AND state = 'refused'
      AND integrations.id = integration_id AND credential_ciphertext = ${credentialCiphertext}`;
}
