/** One client for each integration, of the credential that it has at the moment. */
import { AppError } from "@sluice/domain/app-error";

import type { CallBudget } from "./budget.ts";
import { type BitbucketClient, createBitbucketClient } from "./client.ts";
import type { BitbucketCredential } from "./credential.ts";
import type { CredentialGuard } from "./credential-guard.ts";
import type { HttpAnswer, HttpTimeouts } from "./http-request.ts";
import { createSingleFlight } from "./single-flight.ts";
import type { CallObservation } from "./transport.ts";

/** A credential as it is stored. */
export interface StoredCredential {
  /** Of the integration that it belongs to. */
  readonly id: string;
  readonly kind: BitbucketCredential["kind"];
  /** Null with an access token. */
  readonly email: string | null;
  readonly ciphertext: string;
}

/** Where credentials come from, and what calls are made with. */
export interface BitbucketClientsOptions {
  /** Null: the integration has none, or is deleted. */
  readonly findCredential: (integrationId: string) => Promise<StoredCredential | null>;
  readonly decryptCredential: (credential: StoredCredential) => string;
  readonly budget: CallBudget;
  /** Of each credential; default: none, refused or not. */
  readonly guard?: (credential: StoredCredential) => CredentialGuard;
  readonly baseUrl: string;
  readonly onCall: (call: CallObservation) => void;
  /** Default: those of `createBitbucketClient`. */
  readonly timeouts?: HttpTimeouts;
}

/** The clients of a process. */
export interface BitbucketClients {
  /** @throws AppError `credential_missing`, to be tried again later: somebody may set one. */
  of(integrationId: string): Promise<BitbucketClient>;
}

/** How long what needs a credential waits where there is none. */
const NO_CREDENTIAL_WAIT_MS = 60_000;

const USER_AGENT = "sluice";

/** One client for each credential, made again when the credential changes. */
export function createBitbucketClients(options: BitbucketClientsOptions): BitbucketClients {
  const singleFlight = createSingleFlight<HttpAnswer>();
  const clients = new Map<string, { readonly ciphertext: string; readonly client: BitbucketClient }>();
  return {
    async of(integrationId) {
      const stored = await options.findCredential(integrationId);
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
        ...(options.guard === undefined ? {} : { guard: options.guard(stored) }),
        ...(options.timeouts === undefined ? {} : { timeouts: options.timeouts }),
      });
      clients.set(integrationId, { ciphertext: stored.ciphertext, client });
      return client;
    },
  };
}

function toCredential(stored: StoredCredential, token: string): BitbucketCredential {
  return stored.kind === "api_token"
    ? { kind: "api_token", email: stored.email ?? "", token }
    : { kind: "access_token", token };
}
