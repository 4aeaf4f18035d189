import type { Database, Store } from "./client.ts";

/** What the ingress needs to verify a delivery. Secrets are still encrypted. */
export interface WebhookIntegration {
  readonly id: string;
  readonly slug: string;
  readonly webhookSecretCiphertext: string;
  /** Null when there is none. Whether its overlap is over is for the reader to see (rule 4). */
  readonly previousSecretCiphertext: string | null;
  readonly previousSecretExpiresAt: string | null;
}

/** What a call to Bitbucket needs. The credential is still encrypted. */
export interface IntegrationCredential {
  readonly id: string;
  readonly kind: "api_token" | "access_token";
  readonly email: string | null;
  readonly ciphertext: string;
}

/** The channel that tells of every change of an integration; a trigger of the table notifies it. */
const INTEGRATIONS_CHANNEL = "sluice_integrations";

/** Every integration that is not deleted. */
export async function listWebhookIntegrations(db: Database): Promise<WebhookIntegration[]> {
  return db.sql<WebhookIntegration[]>`
    SELECT id, slug, webhook_secret_ciphertext, previous_secret_ciphertext, previous_secret_expires_at
    FROM sluice.integrations
    WHERE deleted_at IS NULL AND webhook_secret_ciphertext IS NOT NULL`;
}

/** @returns null when the integration is deleted or has no credential. */
export async function findCredential(
  db: Database,
  integrationId: string,
): Promise<IntegrationCredential | null> {
  const [row] = await db.sql<IntegrationCredential[]>`
    SELECT id, credential_kind AS kind, credential_email AS email, credential_ciphertext AS ciphertext
    FROM sluice.integrations
    WHERE id = ${integrationId} AND deleted_at IS NULL AND credential_ciphertext IS NOT NULL`;
  return row ?? null;
}

/**
 * Calls `onChange` after every change of an integration, and `onListening` each time the subscription is made again
 * after it was lost: what changed in between was not heard of.
 */
export async function subscribeToIntegrations(
  store: Store,
  handlers: { readonly onChange: () => void; readonly onListening: () => void },
): Promise<{ unsubscribe(): Promise<void> }> {
  const subscription = await store.sql.listen(INTEGRATIONS_CHANNEL, handlers.onChange, handlers.onListening);
  return { unsubscribe: () => subscription.unlisten() };
}
