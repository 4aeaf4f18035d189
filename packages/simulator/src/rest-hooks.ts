/** Webhook subscriptions of a repository. */
import { z } from "zod";
import { MAX_HOOKS, MAX_SECRET_LENGTH, type Hook } from "./hook.ts";
import type { JsonObject } from "./json.ts";
import { href } from "./links.ts";
import { repositoryReferenceJson, repositoryUrl } from "./repository-json.ts";
import type { RepositoryState } from "./repository-state.ts";
import { errorResponse, fieldErrors, jsonResponse } from "./rest-error.ts";
import { listFieldErrors } from "./rest-input.ts";
import { pageResponse, USUAL_LIMITS } from "./rest-page.ts";
import type { RestRequest, RestRoute } from "./rest-router.ts";

const CHANGES = z.object({
  url: z.url().optional(),
  events: z.array(z.string()).min(1).optional(),
  description: z.string().optional(),
  active: z.boolean().optional(),
  skip_cert_verification: z.boolean().optional(),
  history_enabled: z.boolean().optional(),
  /** Left out = unchanged, null = removed. */
  secret: z.string().max(MAX_SECRET_LENGTH).nullish(),
});
const HOOK = CHANGES.required({ url: true, events: true });

/** `hooks`. */
export const hookRoutes: readonly RestRoute[] = [
  { method: "GET", path: "/hooks", scope: "webhook", handle: listHooks },
  { method: "POST", path: "/hooks", scope: "webhook", handle: postHook },
  { method: "GET", path: "/hooks/:uid", scope: "webhook", handle: getHook },
  { method: "PUT", path: "/hooks/:uid", scope: "webhook", handle: putHook },
  { method: "DELETE", path: "/hooks/:uid", scope: "webhook", handle: deleteHook },
];

function listHooks({ repository, url }: RestRequest): Response {
  return pageResponse(url, [...repository.state.hooks.values()], {
    ...USUAL_LIMITS,
    toJson: (hook) => hookJson(repository.state, hook),
  });
}

async function postHook({ repository, json }: RestRequest): Promise<Response> {
  const parsed = HOOK.safeParse(await json());
  if (!parsed.success) return fieldErrors(listFieldErrors(parsed.error));
  if (repository.state.hooks.size >= MAX_HOOKS) {
    return errorResponse(400, `A repository may have at most ${MAX_HOOKS} webhooks.`);
  }
  const { url, events } = parsed.data;
  const hook = repository.createHook({ url, events });
  applyChanges(hook, parsed.data);
  return jsonResponse(hookJson(repository.state, hook), 201);
}

function getHook({ repository, param }: RestRequest): Response {
  const hook = repository.state.hooks.get(param("uid"));
  return hook === undefined ? hookNotFound(param("uid")) : jsonResponse(hookJson(repository.state, hook));
}

async function putHook({ repository, param, json }: RestRequest): Promise<Response> {
  const hook = repository.state.hooks.get(param("uid"));
  if (hook === undefined) return hookNotFound(param("uid"));
  const parsed = CHANGES.safeParse(await json());
  if (!parsed.success) return fieldErrors(listFieldErrors(parsed.error));
  applyChanges(hook, parsed.data);
  return jsonResponse(hookJson(repository.state, hook));
}

function deleteHook({ repository, param }: RestRequest): Response {
  if (!repository.state.hooks.has(param("uid"))) return hookNotFound(param("uid"));
  repository.deleteHook(param("uid"));
  return new Response(null, { status: 204 });
}

function applyChanges(hook: Hook, changes: z.infer<typeof CHANGES>): void {
  hook.url = changes.url ?? hook.url;
  hook.events = changes.events ?? hook.events;
  hook.description = changes.description ?? hook.description;
  hook.active = changes.active ?? hook.active;
  hook.skipCertVerification = changes.skip_cert_verification ?? hook.skipCertVerification;
  hook.historyEnabled = changes.history_enabled ?? hook.historyEnabled;
  // An empty secret is none.
  if (changes.secret !== undefined) hook.secret = changes.secret === "" ? null : changes.secret;
}

/** Never the secret itself. */
function hookJson(repository: RepositoryState, hook: Hook): JsonObject {
  return {
    read_only: null,
    description: hook.description,
    links: { self: href(`${repositoryUrl(repository)}/hooks/${encodeURIComponent(hook.uuid)}`) },
    url: hook.url,
    created_at: hook.createdAt,
    skip_cert_verification: hook.skipCertVerification,
    source: null,
    history_enabled: hook.historyEnabled,
    secret_set: hook.secret !== null,
    active: hook.active,
    subject: repositoryReferenceJson(repository),
    type: "webhook_subscription",
    events: hook.events,
    uuid: hook.uuid,
  };
}

function hookNotFound(uid: string): Response {
  return errorResponse(404, `${uid} does not exist`);
}
