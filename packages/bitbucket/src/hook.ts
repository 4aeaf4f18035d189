/** Webhooks of a repository or of a workspace: listed, made, changed, deleted. Their secrets are only ever written. */
import type { ExistingHook, HookSettings } from "@sluice/domain/webhook-plan";
import { z } from "zod";

import { parseValue } from "./answer-json.ts";
import { pathSegment, type RepositoryAddress, repositoryPath } from "./api-url.ts";
import { BitbucketError } from "./bitbucket-error.ts";
import { ENDPOINTS, type Endpoint } from "./endpoint.ts";
import type { HttpAnswer } from "./http-request.ts";
import { listItems } from "./pages.ts";
import { clippedText, storableText } from "./storable-text.ts";
import type { Transport } from "./transport.ts";

/** What has webhooks. Those of a workspace fire for all of its repositories, and only its admins may touch them. */
export type HookOwner =
  | { readonly kind: "repository"; readonly repository: RepositoryAddress }
  | { readonly kind: "workspace"; readonly workspace: string };

/** What a webhook is made or changed to: active, and checking certificates. */
export interface HookContent extends HookSettings {
  /** At most 128 characters (OpenAPI: webhook_subscription). */
  readonly secret: string;
}

/** The most that lists allow; a repository has at most 50 webhooks. */
const PAGE_LENGTH = "100";
const MAX_URL_LENGTH = 2048;
const MAX_TITLE_LENGTH = 512;

const hookSchema = z
  .object({
    uuid: z.string().min(1).max(64),
    url: z.string().transform((url) => clippedText(url, MAX_URL_LENGTH)),
    description: z
      .string()
      .nullish()
      .transform((title) => clippedText(title ?? "", MAX_TITLE_LENGTH)),
    events: z.array(z.string().transform(storableText)),
    active: z.boolean(),
    // Left out by older answers.
    secret_set: z.boolean().nullish(),
    skip_cert_verification: z.boolean().nullish(),
  })
  .transform((hook): ExistingHook => ({
    id: hook.uuid,
    url: hook.url,
    title: hook.description,
    events: hook.events,
    isActive: hook.active,
    isSecretSet: hook.secret_set ?? null,
    skipsCertificateCheck: hook.skip_cert_verification ?? false,
  }));

/** Every webhook, those of others too. */
export async function listHooks(transport: Transport, owner: HookOwner): Promise<readonly ExistingHook[]> {
  const url = transport.url(hooksPath(owner), { pagelen: PAGE_LENGTH });
  return listItems({ transport, endpoint: ENDPOINTS.hooks, url, itemSchema: hookSchema });
}

/** Makes a webhook. Asked for twice, there are two: see `mayHaveBeenDone`. */
export async function createHook(
  transport: Transport,
  owner: HookOwner,
  content: HookContent,
): Promise<ExistingHook> {
  const url = transport.url(hooksPath(owner));
  return sendContent(transport, { endpoint: ENDPOINTS.createHook, url, content, status: 201 });
}

/** Sets all of a webhook that `content` names, its secret too. */
export async function updateHook(
  transport: Transport,
  owner: HookOwner,
  hook: { readonly id: string; readonly content: HookContent },
): Promise<ExistingHook> {
  const url = transport.url(`${hooksPath(owner)}/${pathSegment(hook.id)}`);
  return sendContent(transport, { endpoint: ENDPOINTS.updateHook, url, content: hook.content, status: 200 });
}

/** Deletes a webhook. @returns false when it was not there. */
export async function deleteHook(transport: Transport, owner: HookOwner, id: string): Promise<boolean> {
  const endpoint = ENDPOINTS.deleteHook;
  const url = transport.url(`${hooksPath(owner)}/${pathSegment(id)}`);
  const answer = await transport.send(endpoint, url, undefined);
  if (answer.status === 404) return false;
  if (answer.status !== 204 && answer.status !== 200) throw transport.errorOf(endpoint, url, answer);
  return true;
}

/** Whether a change that failed so may have been made all the same: there was no answer, or none that says. */
export function mayHaveBeenDone(error: unknown): boolean {
  return error instanceof BitbucketError && UNCERTAIN.has(error.code);
}

const UNCERTAIN: ReadonlySet<string> = new Set([
  "bitbucket_timeout",
  "bitbucket_unreachable",
  "bitbucket_unavailable",
  "bitbucket_invalid_response",
  "bitbucket_response_too_large",
] satisfies BitbucketError["code"][]);

async function sendContent(
  transport: Transport,
  request: {
    readonly endpoint: Endpoint;
    readonly url: URL;
    readonly content: HookContent;
    readonly status: number;
  },
): Promise<ExistingHook> {
  const { endpoint, url, content, status } = request;
  const answer = await transport.send(endpoint, url, {
    description: content.title,
    url: content.url,
    active: true,
    events: content.events,
    skip_cert_verification: false,
    secret: content.secret,
  });
  if (answer.status !== status) throw transport.errorOf(endpoint, url, answer, [content.secret]);
  return parseValue(hookSchema, readJson(answer), url);
}

/** What is not JSON has no shape of ours either. */
function readJson(answer: HttpAnswer): unknown {
  try {
    return JSON.parse(answer.body);
  } catch {
    return undefined;
  }
}

function hooksPath(owner: HookOwner): string {
  return owner.kind === "repository"
    ? `${repositoryPath(owner.repository)}/hooks`
    : `workspaces/${pathSegment(owner.workspace)}/hooks`;
}
