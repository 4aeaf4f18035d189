/** Tries the credential of an integration, and keeps what that showed (rule 3). */
import { z } from "@hono/zod-openapi";
import type { BitbucketClients } from "@sluice/bitbucket/clients";
import {
  notTried,
  type AbilityCheck,
  type CheckPlace,
  type CredentialCheck,
} from "@sluice/bitbucket/credential-check";
import { AppError } from "@sluice/domain/app-error";
import type { Store } from "@sluice/store/client";
import { saveCredentialCheck } from "@sluice/store/credential-health";
import { isTransientDatabaseError } from "@sluice/store/database-error";
import {
  findIntegrationRecord,
  findRepositoryToCheck,
  type IntegrationRecord,
} from "@sluice/store/integration-records";

import { toCredentialDocument } from "./integrations-document.ts";

/** What waits for a refused credential waits so long for the next look at it. */
const CHECK_AGAIN_MS = 5 * 60_000;

const abilitySchema = z.object({
  answer: z.enum(["yes", "no", "unknown"]),
  http_status: z.int().nullable().openapi({ description: "Of Bitbucket's answer; null: there was none." }),
  said: z.string().openapi({ description: "What Bitbucket answered." }),
  remedy: z.string().nullable().openapi({ description: "What to click; null: nothing is to be done." }),
});

/** What a credential may do. */
export const credentialCheckSchema = z
  .object({
    verdict: z.enum(["ok", "refused", "unknown"]).openapi({
      description:
        "`refused`: Bitbucket says that it is wrong, expired or revoked. `unknown`: this check does not tell.",
    }),
    repository: z
      .string()
      .nullable()
      .openapi({ description: "What was asked about; null: nothing could be." }),
    expires_at: z.iso
      .datetime()
      .nullable()
      .openapi({ description: "As whoever saved it said; null: not known, since Bitbucket does not tell." }),
    read_repository: abilitySchema,
    read_pull_request: abilitySchema,
    webhooks: abilitySchema.openapi({
      description: "Whether it may read webhooks. That it may change them, too, is seen when it does.",
    }),
  })
  .openapi("CredentialCheck");

export type CredentialCheckDocument = z.infer<typeof credentialCheckSchema>;

/** What checks are made with. */
export interface CheckContext {
  readonly store: Store;
  readonly bitbucket: BitbucketClients;
}

/**
 * Tries the stored credential on `place`, or on a repository that targets of the integration use. It never fails: what was
 * saved before it stays saved, and whoever waits is told why nothing was found out.
 */
export async function checkStoredCredential(
  context: CheckContext,
  integrationId: string,
  place: CheckPlace | null,
): Promise<CredentialCheckDocument> {
  try {
    const record = await findIntegrationRecord(context.store, integrationId);
    return toDocument(record, await tryCredential(context, record, place));
  } catch (error) {
    if (!isTransientDatabaseError(error)) throw error;
    return toDocument(null, notTried("Sluice's database is away.", "Check again later."));
  }
}

async function tryCredential(
  { store, bitbucket }: CheckContext,
  record: IntegrationRecord | null,
  named: CheckPlace | null,
): Promise<CredentialCheck> {
  if (record === null) return notTried("The integration was deleted meanwhile.", null);
  const { id, credentialCiphertext } = record;
  if (credentialCiphertext === null) return notTried("No credential is stored.", "Save one.");
  const place = named ?? (await placeOfTargets(store, id));
  if (place === null) {
    const said = "No repository or workspace was named, and no stack or module uses the integration.";
    return notTried(said, "Check again, and name one.");
  }
  try {
    const check = await (await bitbucket.of(id)).checkCredential(place);
    await keep(store, { integrationId: id, credentialCiphertext }, check);
    return check;
  } catch (error) {
    // A key is gone that the credential was encrypted with, say.
    if (error instanceof AppError) return notTried(`${error.message}.`, "Save the credential again.");
    throw error;
  }
}

/** A check that does not tell leaves what was known. */
async function keep(
  store: Store,
  credential: { readonly integrationId: string; readonly credentialCiphertext: string },
  { verdict, readRepository }: CredentialCheck,
): Promise<void> {
  if (verdict === "unknown") return;
  const isOk = verdict === "ok";
  await saveCredentialCheck(store, {
    ...credential,
    state: verdict,
    httpStatus: isOk ? null : readRepository.httpStatus,
    message: isOk ? null : readRepository.said,
    nextCheckInMs: isOk ? null : CHECK_AGAIN_MS,
    scopes: null,
  });
}

async function placeOfTargets(store: Store, integrationId: string): Promise<CheckPlace | null> {
  const fullName = await findRepositoryToCheck(store, integrationId);
  return fullName === null ? null : { kind: "repository", fullName };
}

function toDocument(record: IntegrationRecord | null, check: CredentialCheck): CredentialCheckDocument {
  return {
    verdict: check.verdict,
    repository: check.repository,
    expires_at: record === null ? null : toCredentialDocument(record).expires_at,
    read_repository: toAbility(check.readRepository),
    read_pull_request: toAbility(check.readPullRequest),
    webhooks: toAbility(check.webhooks),
  };
}

function toAbility({ answer, httpStatus, said, remedy }: AbilityCheck): z.infer<typeof abilitySchema> {
  return { answer, http_status: httpStatus, said, remedy };
}
