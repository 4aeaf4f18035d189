/** Writes integrations, as a declarative file or a request describes them. Secrets come encrypted. */
import type { Database } from "./client.ts";
import { forgetCredentialHealth } from "./credential-health.ts";
import type { StoredIntegration } from "./declared-state.ts";
import { forgetBaselinesOfIntegrations } from "./swept-branches.ts";

/** An integration to write. */
export interface IntegrationRow {
  readonly id: string;
  readonly name: string;
  readonly slug: string;
  /** Null for the default integration. */
  readonly spaceId: string | null;
  readonly credentialKind: StoredIntegration["credentialKind"];
  readonly credentialEmail: string | null;
  /** Null only where none is stored. */
  readonly credentialCiphertext: string | null;
  /** When the token ends; null: not known. */
  readonly credentialExpiresAt: string | null;
  /** Null only where none is stored. */
  readonly webhookSecretCiphertext: string | null;
  readonly previousSecretCiphertext: string | null;
  /** From now; null: without an end, or no previous secret. */
  readonly previousSecretExpiresInMs: number | null;
  /** The end that was set earlier, kept as it is; only where `previousSecretExpiresInMs` is null. */
  readonly previousSecretExpiresAt: string | null;
  readonly checksMode: StoredIntegration["checksMode"];
  readonly labels: readonly string[];
  readonly description: string;
  readonly enabled: boolean;
}

/**
 * Inserts integrations, or changes all but the name and slug of those that exist. Of a credential that is replaced nothing
 * is known any more, and the targets of an integration that is switched begin anew (rule 34): whoever switches one holds
 * the repositories of its targets (`lockRepositoriesOfTargets`), as sweeps do.
 */
export async function saveIntegrations(db: Database, rows: readonly IntegrationRow[]): Promise<void> {
  if (rows.length === 0) return;
  await forgetWhatChanges(db, rows);
  // There is one default at any time: whoever ceases to be it goes first.
  await saveRows(
    db,
    rows.filter((row) => row.spaceId !== null),
  );
  await saveRows(
    db,
    rows.filter((row) => row.spaceId === null),
  );
}

async function forgetWhatChanges(db: Database, rows: readonly IntegrationRow[]): Promise<void> {
  const changed = await db.sql<{ id: string; isSwitched: boolean; isReplaced: boolean }[]>`
    SELECT was.id, was.enabled <> new.enabled::boolean AS is_switched,
           was.credential_ciphertext IS DISTINCT FROM new.credential AS is_replaced
    FROM unnest(
      ${rows.map((row) => row.id)}::uuid[],
      ${rows.map((row) => String(row.enabled))}::text[],
      ${rows.map((row) => row.credentialCiphertext)}::text[]
    ) AS new (id, enabled, credential)
    JOIN sluice.integrations AS was USING (id)`;
  const idsOf = (which: "isSwitched" | "isReplaced") =>
    changed.filter((each) => each[which]).map(({ id }) => id);
  await forgetCredentialHealth(db, idsOf("isReplaced"));
  await forgetBaselinesOfIntegrations(db, idsOf("isSwitched"));
}

async function saveRows(db: Database, rows: readonly IntegrationRow[]): Promise<void> {
  if (rows.length === 0) return;
  await db.sql`
    INSERT INTO sluice.integrations
      (id, name, slug, space_id, credential_kind, credential_email, credential_ciphertext, credential_expires_at,
       webhook_secret_ciphertext, previous_secret_ciphertext, previous_secret_expires_at, checks_mode, labels, description,
       enabled)
    SELECT id, name, slug, space_id, credential_kind, credential_email, credential, credential_expires_at::timestamptz,
           secret, previous, coalesce(now() + expires_in_ms * interval '1 millisecond', expires_at::timestamptz),
           checks_mode, labels::jsonb, description, enabled::boolean
    FROM unnest(
      ${rows.map((row) => row.id)}::uuid[],
      ${rows.map((row) => row.name)}::text[],
      ${rows.map((row) => row.slug)}::text[],
      ${rows.map((row) => row.spaceId)}::uuid[],
      ${rows.map((row) => row.credentialKind)}::text[],
      ${rows.map((row) => row.credentialEmail)}::text[],
      ${rows.map((row) => row.credentialCiphertext)}::text[],
      ${rows.map((row) => row.credentialExpiresAt)}::text[],
      ${rows.map((row) => row.webhookSecretCiphertext)}::text[],
      ${rows.map((row) => row.previousSecretCiphertext)}::text[],
      ${rows.map((row) => row.previousSecretExpiresInMs)}::bigint[],
      ${rows.map((row) => row.previousSecretExpiresAt)}::text[],
      ${rows.map((row) => row.checksMode)}::text[],
      ${rows.map((row) => JSON.stringify(row.labels))}::text[],
      ${rows.map((row) => row.description)}::text[],
      ${rows.map((row) => String(row.enabled))}::text[]
    ) AS new (id, name, slug, space_id, credential_kind, credential_email, credential, credential_expires_at, secret,
              previous, expires_in_ms, expires_at, checks_mode, labels, description, enabled)
    ON CONFLICT (id) DO UPDATE SET
      space_id = excluded.space_id,
      credential_kind = excluded.credential_kind,
      credential_email = excluded.credential_email,
      credential_ciphertext = excluded.credential_ciphertext,
      credential_expires_at = excluded.credential_expires_at,
      webhook_secret_ciphertext = excluded.webhook_secret_ciphertext,
      previous_secret_ciphertext = excluded.previous_secret_ciphertext,
      previous_secret_expires_at = excluded.previous_secret_expires_at,
      checks_mode = excluded.checks_mode,
      labels = excluded.labels,
      description = excluded.description,
      enabled = excluded.enabled,
      updated_at = now()`;
}

/** What each integration may ask of Bitbucket in an hour. */
export async function saveCallBudgets(
  db: Database,
  budgets: readonly { readonly integrationId: string; readonly callsPerHour: number }[],
): Promise<void> {
  if (budgets.length === 0) return;
  await db.sql`
    INSERT INTO sluice.call_budgets (integration_id, calls_per_hour)
    SELECT * FROM unnest(
      ${budgets.map((budget) => budget.integrationId)}::uuid[],
      ${budgets.map((budget) => budget.callsPerHour)}::int[]
    )
    ON CONFLICT (integration_id) DO UPDATE SET calls_per_hour = excluded.calls_per_hour`;
}

/**
 * Deletes integrations: the rows stay for what refers to them, the secrets go. The caller detaches their targets in the
 * same transaction.
 */
export async function deleteIntegrations(db: Database, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return;
  await forgetCredentialHealth(db, ids);
  await db.sql`
    UPDATE sluice.integrations
    SET credential_ciphertext = NULL, credential_email = NULL, credential_expires_at = NULL, webhook_secret_ciphertext = NULL,
        previous_secret_ciphertext = NULL, previous_secret_expires_at = NULL, deleted_at = now(), updated_at = now()
    WHERE id = ANY(${ids}::uuid[]) AND deleted_at IS NULL`;
}
