import type { CallBudget } from "@sluice/bitbucket/budget";
import { createBitbucketClient, type BitbucketClient } from "@sluice/bitbucket/client";
import type { BitbucketCredential } from "@sluice/bitbucket/credential";
import type { HttpAnswer } from "@sluice/bitbucket/http-get";
import { createSingleFlight } from "@sluice/bitbucket/single-flight";
import type { CallObservation } from "@sluice/bitbucket/transport";
import { AppError } from "@sluice/domain/app-error";
import type { Store } from "@sluice/store/client";
import { findCredential, type IntegrationCredential } from "@sluice/store/integrations";

export interface BitbucketClientsOptions {
  readonly store: Store;
  readonly budget: CallBudget;
  readonly baseUrl: string;
  readonly decryptCredential: (credential: IntegrationCredential) => string;
  readonly onCall: (call: CallObservation) => void;
}

/** How long an event waits for a credential that is not there. */
const NO_CREDENTIAL_WAIT_MS = 60_000;

const USER_AGENT = "sluice";

/** One client for each credential, made again when the credential changes. */
export function createBitbucketClients(options: BitbucketClientsOptions) {
  const singleFlight = createSingleFlight<HttpAnswer>();
  const clients = new Map<string, { readonly ciphertext: string; readonly client: BitbucketClient }>();
  return {
    /** @throws AppError `credential_missing`, to be tried again later: an operator may set one. */
    async of(integrationId: string): Promise<BitbucketClient> {
      const stored = await findCredential(options.store, integrationId);
      if (stored === null) {
        throw new AppError(
          "credential_missing",
          `integration ${integrationId} has no credential: apply one`,
          {
            retry: { afterMs: NO_CREDENTIAL_WAIT_MS },
          },
        );
      }
      const known = clients.get(integrationId);
      if (known?.ciphertext === stored.ciphertext) return known.client;
      const client = createBitbucketClient({
        baseUrl: options.baseUrl,
        credential: toCredential(stored, options.decryptCredential(stored)),
        credentialId: integrationId,
        budget: options.budget,
        singleFlight,
        userAgent: USER_AGENT,
        onCall: options.onCall,
      });
      clients.set(integrationId, { ciphertext: stored.ciphertext, client });
      return client;
    },
  };
}

function toCredential(stored: IntegrationCredential, token: string): BitbucketCredential {
  return stored.kind === "api_token"
    ? { kind: "api_token", email: stored.email ?? "", token }
    : { kind: "access_token", token };
}
