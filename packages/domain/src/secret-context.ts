/**
 * What a stored secret is and whose: the text that a keyring binds a ciphertext to. Whoever encrypts and whoever
 * decrypts take it from here, so that a value moved to another row or column does not decrypt.
 */

/** The secret that signs the deliveries of an integration. */
export function webhookSecretContext(integrationId: string): string {
  return `integration:${integrationId}:webhook_secret`;
}

/** The secret before the last rotation, while it still verifies (rule 4). */
export function previousSecretContext(integrationId: string): string {
  return `integration:${integrationId}:previous_secret`;
}

/** The API token or access token with which an integration calls Bitbucket. */
export function credentialContext(integrationId: string): string {
  return `integration:${integrationId}:credential`;
}
