/** What was last found out about the credentials of integrations: one row an integration. */
import type { Database } from "./client.ts";
import { toRfc3339 } from "./rfc3339.ts";

/** How a credential stands. Times are RFC 3339. */
export interface CredentialHealth {
  /** `refused`: Bitbucket says no to it, and what needs it waits until a check passes. */
  readonly state: "ok" | "refused";
  /** Since when it is so. */
  readonly since: string;
  /** The status that Bitbucket refused with; null while it is ok. */
  readonly httpStatus: number | null;
  /** What Bitbucket said, without secrets; null while it is ok. */
  readonly message: string | null;
  /** When it was last asked about; null: never, a call for something else was refused. */
  readonly checkedAt: string | null;
  /** When the next check is due; null: none is planned. */
  readonly nextCheckAt: string | null;
  /** What Bitbucket said that the credential may do; null: it did not say. */
  readonly scopes: readonly string[] | null;
}

/** What a check of a credential showed. One that showed nothing (an outage, a 429) is not saved: what was known stays. */
export interface SavedCheck extends Pick<CredentialHealth, "state" | "httpStatus" | "message" | "scopes"> {
  readonly integrationId: string;
  /** The credential that was checked, as it is stored: of one that was replaced meanwhile nothing is saved. */
  readonly credentialCiphertext: string;
  /** When a refused one is to be checked again, in ms from now; null: no check is planned. */
  readonly nextCheckInMs: number | null;
}

/** Keeps what a check showed. `since` stays while the state does. @returns false when the credential is another by now. */
export async function saveCredentialCheck(db: Database, check: SavedCheck): Promise<boolean> {
  const { integrationId, credentialCiphertext, state, httpStatus, message, nextCheckInMs, scopes } = check;
  const rows = await db.sql`
    INSERT INTO sluice.credential_health AS health
      (integration_id, state, http_status, message, checked_at, next_check_at, scopes)
    SELECT id, ${state}, ${httpStatus}::int, ${message}, now(), now() + ${nextCheckInMs}::bigint * interval '1 millisecond',
           ${scopes === null ? null : JSON.stringify(scopes)}::text::jsonb
    FROM sluice.integrations
    WHERE id = ${integrationId} AND deleted_at IS NULL AND credential_ciphertext = ${credentialCiphertext}
    ON CONFLICT (integration_id) DO UPDATE SET
      state = excluded.state,
      since = CASE WHEN health.state = excluded.state THEN health.since ELSE excluded.since END,
      http_status = excluded.http_status,
      message = excluded.message,
      checked_at = excluded.checked_at,
      next_check_at = excluded.next_check_at,
      scopes = excluded.scopes
    RETURNING integration_id`;
  return rows.length > 0;
}

/** How the credential of an integration stands; null: nothing is known about the one that it has. */
export async function findCredentialHealth(
  db: Database,
  integrationId: string,
): Promise<CredentialHealth | null> {
  return (await listCredentialHealth(db, [integrationId])).get(integrationId) ?? null;
}

/** How the credentials of integrations stand, by integration; one of which nothing is known is absent. */
export async function listCredentialHealth(
  db: Database,
  integrationIds: readonly string[],
): Promise<ReadonlyMap<string, CredentialHealth>> {
  if (integrationIds.length === 0) return new Map();
  const rows = await db.sql<(CredentialHealth & { integrationId: string })[]>`
    SELECT integration_id, state, since, http_status, message, checked_at, next_check_at, scopes
    FROM sluice.credential_health WHERE integration_id = ANY(${[...integrationIds]}::uuid[])`;
  return new Map(rows.map(({ integrationId, ...row }) => [integrationId, toHealth(row)]));
}

/** Nothing is known any more: these integrations got other credentials, or are gone. */
export async function forgetCredentialHealth(db: Database, integrationIds: readonly string[]): Promise<void> {
  if (integrationIds.length === 0) return;
  await db.sql`DELETE FROM sluice.credential_health WHERE integration_id = ANY(${[...integrationIds]}::uuid[])`;
}

function toHealth(row: CredentialHealth): CredentialHealth {
  const time = (value: string | null) => (value === null ? null : toRfc3339(value));
  return {
    ...row,
    since: toRfc3339(row.since),
    checkedAt: time(row.checkedAt),
    nextCheckAt: time(row.nextCheckAt),
  };
}
