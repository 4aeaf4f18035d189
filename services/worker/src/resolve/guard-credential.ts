/** Keeps a credential that Bitbucket refuses from being used: what needs it waits until a check passes (rule 17). */
import type { StoredCredential } from "@sluice/bitbucket/clients";
import type { CredentialGuard } from "@sluice/bitbucket/credential-guard";
import { AppError } from "@sluice/domain/app-error";
import type { Logger } from "@sluice/runtime/logger";
import type { Store } from "@sluice/store/client";
import { type CredentialRefused, findCredentialRefused, openBreaker } from "@sluice/store/credential-breaker";
import { doubtCredential } from "@sluice/store/credential-checks";

/** From a refusal to the first check; the time between checks grows from there. */
export const FIRST_CHECK_AFTER_MS = 30_000;
/** A check takes a moment, and those that wait for it are not to come all at once: a passed check tells them anyway. */
const CHECK_TAKES_MS = 5_000;
const MAX_JITTER_MS = 15_000;
/** Of the time to the next check, on top: the longer that is, the more wait. */
const MAX_JITTER_SHARE = 0.1;

/**
 * The guards of a process. A 401 is about the credential: nobody uses it from then on. A 403 may be about one repository,
 * or about one scope: a check is asked for, which tells whether it is about the credential, and others go on meanwhile.
 * Their calls fail with AppError `credential_refused`, to be tried again after the next check.
 */
export function createCredentialGuards({
  store,
  logger,
}: {
  readonly store: Store;
  readonly logger: Logger;
}): (credential: StoredCredential) => CredentialGuard {
  return ({ id: integrationId, ciphertext: credentialCiphertext }) => {
    const admit = async (): Promise<void> => {
      const refused = await findCredentialRefused(store, integrationId);
      if (refused !== null) throw credentialRefused(integrationId, refused);
    };
    return {
      admit,
      async refused({ status, message }) {
        if (status === 403) {
          await doubtCredential(store, integrationId);
          return;
        }
        const refusal = { integrationId, credentialCiphertext, httpStatus: status, message };
        const integration = await openBreaker(store, { ...refusal, nextCheckInMs: FIRST_CHECK_AFTER_MS });
        if (integration !== null) {
          logger.warn(
            { integrationId, integration, httpStatus: status, reason: message },
            "credential.refused",
          );
        }
        await admit();
      },
    };
  };
}

function credentialRefused(
  integrationId: string,
  { since, httpStatus, nextCheckInMs }: CredentialRefused,
): AppError {
  const status = httpStatus === null ? "" : ` (${String(httpStatus)})`;
  const maxJitterMs = MAX_JITTER_MS + MAX_JITTER_SHARE * nextCheckInMs;
  return new AppError(
    "credential_refused",
    `Bitbucket refuses the credential of integration ${integrationId} since ${since}${status}: give the integration a new one`,
    { retry: { afterMs: nextCheckInMs + CHECK_TAKES_MS + Math.ceil(Math.random() * maxJitterMs) } },
  );
}
