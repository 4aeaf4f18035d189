/** Secrets of integrations on their way into the store, and out of it for those who may see them. */
import { randomBytes } from "node:crypto";

import {
  credentialContext,
  previousSecretContext,
  webhookSecretContext,
} from "@sluice/domain/secret-context";
import type { Keyring } from "@sluice/runtime/keyring";
import type { IntegrationRow } from "@sluice/store/declared-integrations";
import type { IntegrationRecord } from "@sluice/store/integration-records";

import type { NewCredential } from "./integrations-body.ts";

/** Rule 4. */
const SECRET_BYTES = 32;

/** The columns that hold a credential. */
export type CredentialColumns = Pick<
  IntegrationRow,
  "credentialKind" | "credentialEmail" | "credentialCiphertext" | "credentialExpiresAt"
>;

/** The columns that hold webhook secrets. */
export type SecretColumns = Pick<
  IntegrationRow,
  | "webhookSecretCiphertext"
  | "previousSecretCiphertext"
  | "previousSecretExpiresInMs"
  | "previousSecretExpiresAt"
>;

/** A new random webhook secret, URL-safe. */
export function makeWebhookSecret(): string {
  return randomBytes(SECRET_BYTES).toString("base64url");
}

/** A credential as it is stored. */
export function encryptCredential(
  keyring: Keyring,
  integrationId: string,
  credential: NewCredential,
): CredentialColumns {
  return {
    credentialKind: credential.kind,
    credentialEmail: credential.kind === "api_token" ? credential.email : null,
    credentialCiphertext: keyring.encrypt(credential.token, credentialContext(integrationId)),
    credentialExpiresAt: credential.expires_at ?? null,
  };
}

/** The first webhook secret of an integration as it is stored. */
export function encryptFirstSecret(keyring: Keyring, integrationId: string, secret: string): SecretColumns {
  return {
    webhookSecretCiphertext: keyring.encrypt(secret, webhookSecretContext(integrationId)),
    previousSecretCiphertext: null,
    previousSecretExpiresInMs: null,
    previousSecretExpiresAt: null,
  };
}

/**
 * A webhook secret in the place of the present one, which still verifies for `overlapMs` (rule 4). The one before that, if
 * there is one, does no longer: two verify at any time.
 */
export function rotateSecret(
  keyring: Keyring,
  record: IntegrationRecord,
  { secret, overlapMs }: { readonly secret: string; readonly overlapMs: number },
): SecretColumns {
  const { id, webhookSecretCiphertext: present } = record;
  const first = encryptFirstSecret(keyring, id, secret);
  if (present === null || overlapMs === 0) return first;
  const replaced = keyring.decrypt(present, webhookSecretContext(id));
  return {
    ...first,
    previousSecretCiphertext: keyring.encrypt(replaced, previousSecretContext(id)),
    previousSecretExpiresInMs: overlapMs,
  };
}

/** The secrets that verify at `nowMs`, in the clear. */
export function readSecrets(keyring: Keyring, record: IntegrationRecord, nowMs: number) {
  const { id, webhookSecretCiphertext: present, previousSecretCiphertext: previous } = record;
  const expiresAt = record.previousSecretExpiresAt;
  const isOver = expiresAt !== null && Date.parse(expiresAt) <= nowMs;
  return {
    secret: present === null ? null : keyring.decrypt(present, webhookSecretContext(id)),
    previous: previous === null || isOver ? null : keyring.decrypt(previous, previousSecretContext(id)),
  };
}

/** A row that changes nothing: what of it is to change is put over it. */
export function toRow(record: IntegrationRecord): IntegrationRow {
  const { space: _, callsPerHour: __, createdAt: ___, updatedAt: ____, ...row } = record;
  return { ...row, previousSecretExpiresInMs: null };
}
