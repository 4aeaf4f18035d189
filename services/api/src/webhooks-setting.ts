/** What a request for webhooks works with: whose integration it is, what it wants, and how much time there is. */
import type { BitbucketClient } from "@sluice/bitbucket/client";
import type { BitbucketClients } from "@sluice/bitbucket/clients";
import { isWithinReach, type Access } from "@sluice/domain/access";
import { AppError } from "@sluice/domain/app-error";
import { webhookSecretContext } from "@sluice/domain/secret-context";
import type { HookWish } from "@sluice/domain/webhook-plan";
import { webhookUrl } from "@sluice/domain/webhook-url";
import type { Database } from "@sluice/store/client";
import { findHookedIntegration, type HookedIntegration } from "@sluice/store/repository-hooks";

import { presentAccess, type ChangeContext } from "./change.ts";
import { parseId } from "./path-id.ts";
import { ProblemError } from "./problem.ts";
import type { Shown } from "./webhooks-document.ts";

/**
 * So that an answer comes within the ten seconds of every request (`answerInTime`), where one call to Bitbucket takes 4 s at
 * most: what begins later than this is left for the next request.
 */
const LOOK_WITHIN_MS = 1_500;
const CHANGE_WITHIN_MS = 4_500;

/** What the routes are made of. */
export interface WebhookContext extends ChangeContext {
  readonly bitbucket: BitbucketClients;
  /** The address of the ingress as Bitbucket sees it; null: nobody has said, and nothing can be planned. */
  readonly publicUrl: string | null;
}

/** What one request works with. */
export interface WebhookSetting extends Shown {
  readonly integration: HookedIntegration;
  readonly client: BitbucketClient;
  /** Whether there is time to begin to look at another webhook. */
  readonly mayLook: () => boolean;
  /** Whether there is time to begin to change another webhook. */
  readonly mayChange: () => boolean;
}

/** What the body of a request says about what is wanted. */
export function wishOf(body: { readonly remove: boolean; readonly renew_secret: boolean }): HookWish {
  if (body.remove) return "remove";
  return body.renew_secret ? "renew" : "provision";
}

/** @throws ProblemError `not_found` outside one's spaces; `not_configured` where something is missing. */
export async function prepareWebhooks(
  { store, bitbucket, publicUrl }: WebhookContext,
  request: { readonly integrationId: string; readonly access: Access; readonly wish: HookWish },
): Promise<WebhookSetting> {
  const startedAt = performance.now();
  const integration = await findHookedIntegration(store, parseId(request.integrationId));
  if (integration === null || !isWithinReach(request.access.reach, integration.spaceId)) {
    throw noSuchIntegration();
  }
  if (publicUrl === null) {
    const detail = "Set SLUICE_PUBLIC_URL to the address of the ingress as Bitbucket sees it.";
    throw new ProblemError("not_configured", detail);
  }
  const { id, name, slug } = integration;
  return {
    integration,
    client: await openClient(bitbucket, id),
    desired: { url: webhookUrl(publicUrl, slug), slug, title: `Sluice: ${name}` },
    wish: request.wish,
    secretPath: `/v1/integrations/${id}/webhook`,
    mayLook: () => performance.now() - startedAt < LOOK_WITHIN_MS,
    mayChange: () => performance.now() - startedAt < CHANGE_WITHIN_MS,
  };
}

/**
 * Looks again, on the connection that holds the right to change webhooks, whether the key still administers the integration,
 * and whether the secret is still the one that webhooks are given. @throws ProblemError when not.
 */
export async function checkStanding(
  db: Database,
  { access, integration }: { readonly access: Access; readonly integration: HookedIntegration },
): Promise<void> {
  const { reach } = await presentAccess(db, access, { permission: "admin", lock: false });
  const present = await findHookedIntegration(db, integration.id);
  if (present === null || !isWithinReach(reach, present.spaceId)) throw noSuchIntegration();
  if (present.webhookSecretCiphertext !== integration.webhookSecretCiphertext) {
    throw new ProblemError("plan_changed", "The webhook secret was replaced meanwhile. Plan again.");
  }
}

function noSuchIntegration(): ProblemError {
  return new ProblemError("not_found", "There is no integration with this id, or you do not administer it.");
}

/** The secret that webhooks are given. @throws ProblemError `not_configured` where there is none. */
export function readWebhookSecret(
  { keyring }: Pick<WebhookContext, "keyring">,
  { id, webhookSecretCiphertext }: HookedIntegration,
): string {
  if (webhookSecretCiphertext === null) {
    throw new ProblemError("not_configured", "The integration has no webhook secret: rotate it to make one.");
  }
  return keyring.decrypt(webhookSecretCiphertext, webhookSecretContext(id));
}

/** @throws ProblemError `not_configured` where there is no credential, or one that no header can hold. */
async function openClient(clients: BitbucketClients, integrationId: string): Promise<BitbucketClient> {
  try {
    return await clients.of(integrationId);
  } catch (error) {
    const isUnusable =
      error instanceof AppError &&
      (error.code === "credential_missing" || error.code === "bitbucket_invalid_credential");
    if (!isUnusable) throw error;
    throw new ProblemError("not_configured", `Give the integration a credential first: ${error.message}.`);
  }
}
