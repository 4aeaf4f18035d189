/** What becomes of the secrets of an integration: the token, the webhook secret and the one before it (rule 4). */
import type { StoredIntegration } from "@sluice/store/declared-state";

import type { DeclaredIntegration } from "./declaration.ts";
import type { FieldChange } from "./plan.ts";

/** The stored secrets in the clear; null: there is none, or no present key decrypts it. */
export interface StoredSecrets {
  readonly token: string | null;
  readonly webhookSecret: string | null;
  readonly previousSecret: string | null;
}

/** A secret is left as it is stored, replaced, or made anew. */
export type SecretPlan =
  | { readonly kind: "keep" }
  | { readonly kind: "set"; readonly value: string }
  | { readonly kind: "generate" };

/** The second secret that verifies: left as it is stored, taken away, or set; `expiresInMs` null: without an end. */
export type PreviousSecretPlan =
  | { readonly kind: "keep" }
  | { readonly kind: "none" }
  | { readonly kind: "set"; readonly value: string; readonly expiresInMs: number | null };

/** What is written. */
export interface SecretsPlan {
  readonly token: SecretPlan;
  readonly webhookSecret: SecretPlan;
  readonly previous: PreviousSecretPlan;
}

/** The secrets of an integration that is new. */
export function planNewSecrets(declared: DeclaredIntegration): SecretsPlan {
  const { token, webhookSecret, previousWebhookSecret } = declared;
  return {
    token: { kind: "set", value: token },
    webhookSecret: webhookSecret === null ? { kind: "generate" } : { kind: "set", value: webhookSecret },
    previous:
      previousWebhookSecret === null
        ? { kind: "none" }
        : { kind: "set", value: previousWebhookSecret, expiresInMs: null },
  };
}

/** The secrets of an integration that exists. A stored secret that no key decrypts is replaced by the declared one. */
export function planSecrets(
  declared: DeclaredIntegration,
  stored: StoredIntegration,
  known: StoredSecrets | null,
): { readonly secrets: SecretsPlan; readonly changes: readonly FieldChange[] } {
  const changes: FieldChange[] = [];
  const note = (field: string, change: string) => changes.push({ kind: "secret", field, change });

  let token: SecretPlan = { kind: "keep" };
  if (declared.token !== known?.token) {
    token = { kind: "set", value: declared.token };
    note("credential.token", "changed");
  }

  const webhookSecret = planWebhookSecret(declared, stored, known);
  const previous = planPrevious({ declared, stored, known, isReplaced: webhookSecret.kind !== "keep" });
  if (webhookSecret.kind === "set") {
    const isKept = previous.kind === "set" && previous.expiresInMs !== null;
    note("webhook_secret", isKept ? "changed; the one before verifies a while longer" : "changed");
  }
  if (webhookSecret.kind === "generate") note("webhook_secret", "generated");
  if (previous.kind === "set" && previous.expiresInMs === null) note("previous_webhook_secret", "changed");
  if (previous.kind === "none" && stored.previousSecretCiphertext !== null) {
    note("previous_webhook_secret", "removed");
  }
  return { secrets: { token, webhookSecret, previous }, changes };
}

function planWebhookSecret(
  declared: DeclaredIntegration,
  stored: StoredIntegration,
  known: StoredSecrets | null,
): SecretPlan {
  if (declared.webhookSecret === null) {
    return stored.webhookSecretCiphertext === null ? { kind: "generate" } : { kind: "keep" };
  }
  if (declared.webhookSecret === known?.webhookSecret) return { kind: "keep" };
  return { kind: "set", value: declared.webhookSecret };
}

/** A previous secret without an end is one that a file named; one with an end comes from a rotation, and ends by itself. */
function planPrevious(input: {
  readonly declared: DeclaredIntegration;
  readonly stored: StoredIntegration;
  readonly known: StoredSecrets | null;
  readonly isReplaced: boolean;
}): PreviousSecretPlan {
  const { declared, stored, known, isReplaced } = input;
  const isNamedByFile = stored.previousSecretCiphertext !== null && stored.previousSecretExpiresAt === null;
  if (declared.previousWebhookSecret !== null) {
    const isSame = isNamedByFile && declared.previousWebhookSecret === known?.previousSecret;
    return isSame
      ? { kind: "keep" }
      : { kind: "set", value: declared.previousWebhookSecret, expiresInMs: null };
  }
  const replaced = known?.webhookSecret ?? null;
  if (isReplaced) {
    if (replaced === null || declared.secretOverlapMs === 0) return { kind: "none" };
    return { kind: "set", value: replaced, expiresInMs: declared.secretOverlapMs };
  }
  return isNamedByFile ? { kind: "none" } : { kind: "keep" };
}
