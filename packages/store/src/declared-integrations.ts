/** Writes the integrations of a declarative file. Secrets come encrypted. */
import type { Database } from "./client.ts";
import type { StoredIntegration } from "./declared-state.ts";

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
}

/** Inserts integrations, or changes all but the name and slug of those that exist. */
export async function saveIntegrations(db: Database, rows: readonly IntegrationRow[]): Promise<void> {
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

async function saveRows(db: Database, rows: readonly IntegrationRow[]): Promise<void> {
  if (rows.length === 0) return;
  await db.sql`
    INSERT INTO sluice.integrations
      (id, name, slug, space_id, credential_kind, credential_email, credential_ciphertext, webhook_secret_ciphertext,
       previous_secret_ciphertext, previous_secret_expires_at, checks_mode, labels, description)
    SELECT id, name, slug, space_id, credential_kind, credential_email, credential, secret, previous,
           coalesce(now() + expires_in_ms * interval '1 millisecond', expires_at::timestamptz), checks_mode, labels::jsonb, description
    FROM unnest(
      ${rows.map((row) => row.id)}::uuid[],
      ${rows.map((row) => row.name)}::text[],
      ${rows.map((row) => row.slug)}::text[],
      ${rows.map((row) => row.spaceId)}::uuid[],
      ${rows.map((row) => row.credentialKind)}::text[],
      ${rows.map((row) => row.credentialEmail)}::text[],
      ${rows.map((row) => row.credentialCiphertext)}::text[],
      ${rows.map((row) => row.webhookSecretCiphertext)}::text[],
      ${rows.map((row) => row.previousSecretCiphertext)}::text[],
      ${rows.map((row) => row.previousSecretExpiresInMs)}::bigint[],
      ${rows.map((row) => row.previousSecretExpiresAt)}::text[],
      ${rows.map((row) => row.checksMode)}::text[],
      ${rows.map((row) => JSON.stringify(row.labels))}::text[],
      ${rows.map((row) => row.description)}::text[]
    ) AS new (id, name, slug, space_id, credential_kind, credential_email, credential, secret, previous, expires_in_ms,
              expires_at, checks_mode, labels, description)
    ON CONFLICT (id) DO UPDATE SET
      space_id = excluded.space_id,
      credential_kind = excluded.credential_kind,
      credential_email = excluded.credential_email,
      credential_ciphertext = excluded.credential_ciphertext,
      webhook_secret_ciphertext = excluded.webhook_secret_ciphertext,
      previous_secret_ciphertext = excluded.previous_secret_ciphertext,
      previous_secret_expires_at = excluded.previous_secret_expires_at,
      checks_mode = excluded.checks_mode,
      labels = excluded.labels,
      description = excluded.description,
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
  await db.sql`
    UPDATE sluice.integrations
    SET credential_ciphertext = NULL, credential_email = NULL, webhook_secret_ciphertext = NULL,
        previous_secret_ciphertext = NULL, previous_secret_expires_at = NULL, deleted_at = now(), updated_at = now()
    WHERE id = ANY(${ids}::uuid[]) AND deleted_at IS NULL`;
}
