/** Webhook subscriptions, of a repository or of a workspace. */
import { z } from "zod";
import { MAX_HOOKS, MAX_SECRET_LENGTH, type Hook, type HookInput } from "./hook.ts";
import type { JsonObject } from "./json.ts";
import { href } from "./links.ts";
import type { Repository } from "./repository.ts";
import { repositoryReferenceJson, repositoryUrl } from "./repository-json.ts";
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

/** What has webhooks. */
export interface HookOwner {
  readonly hooks: ReadonlyMap<string, Hook>;
  readonly createHook: (input: HookInput) => Hook;
  readonly deleteHook: (uuid: string) => void;
  /** Where it is in the API. */
  readonly url: string;
  readonly subject: JsonObject;
}

/** What a request to `hooks` says. */
export interface HookRequest {
  readonly owner: HookOwner;
  readonly url: URL;
  readonly uid: string;
  readonly json: () => Promise<unknown>;
}

interface HookRoute extends Pick<RestRoute, "method" | "path" | "access"> {
  readonly answer: (request: HookRequest) => Response | Promise<Response>;
}

/** `hooks` of anything that has them. */
export const HOOK_ROUTES: readonly HookRoute[] = [
  { method: "GET", path: "/hooks", answer: listHooks },
  { method: "POST", path: "/hooks", access: "write", answer: postHook },
  { method: "GET", path: "/hooks/:uid", answer: getHook },
  { method: "PUT", path: "/hooks/:uid", access: "write", answer: putHook },
  { method: "DELETE", path: "/hooks/:uid", access: "delete", answer: deleteHook },
];

/** `hooks` of a repository. */
export const hookRoutes: readonly RestRoute[] = HOOK_ROUTES.map(({ answer, ...route }) => ({
  ...route,
  scope: "webhook",
  handle: ({ repository, url, param, json }: RestRequest) =>
    answer({ owner: ownerOf(repository), url, uid: param("uid"), json }),
}));

function ownerOf(repository: Repository): HookOwner {
  return {
    hooks: repository.state.hooks,
    createHook: repository.createHook,
    deleteHook: repository.deleteHook,
    url: repositoryUrl(repository.state),
    subject: repositoryReferenceJson(repository.state),
  };
}

function listHooks({ owner, url }: HookRequest): Response {
  return pageResponse(url, [...owner.hooks.values()], {
    ...USUAL_LIMITS,
    toJson: (hook) => hookJson(owner, hook),
  });
}

async function postHook({ owner, json }: HookRequest): Promise<Response> {
  const parsed = HOOK.safeParse(await json());
  if (!parsed.success) return fieldErrors(listFieldErrors(parsed.error));
  if (owner.hooks.size >= MAX_HOOKS) {
    return errorResponse(400, `There may be at most ${MAX_HOOKS} webhooks.`);
  }
  const { url, events } = parsed.data;
  const hook = owner.createHook({ url, events });
  applyChanges(hook, parsed.data);
  return jsonResponse(hookJson(owner, hook), 201);
}

function getHook({ owner, uid }: HookRequest): Response {
  const hook = owner.hooks.get(uid);
  return hook === undefined ? hookNotFound(uid) : jsonResponse(hookJson(owner, hook));
}

async function putHook({ owner, uid, json }: HookRequest): Promise<Response> {
  const hook = owner.hooks.get(uid);
  if (hook === undefined) return hookNotFound(uid);
  const parsed = CHANGES.safeParse(await json());
  if (!parsed.success) return fieldErrors(listFieldErrors(parsed.error));
  applyChanges(hook, parsed.data);
  return jsonResponse(hookJson(owner, hook));
}

function deleteHook({ owner, uid }: HookRequest): Response {
  if (!owner.hooks.has(uid)) return hookNotFound(uid);
  owner.deleteHook(uid);
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
function hookJson(owner: HookOwner, hook: Hook): JsonObject {
  return {
    read_only: null,
    description: hook.description,
    links: { self: href(`${owner.url}/hooks/${encodeURIComponent(hook.uuid)}`) },
    url: hook.url,
    created_at: hook.createdAt,
    skip_cert_verification: hook.skipCertVerification,
    source: null,
    history_enabled: hook.historyEnabled,
    secret_set: hook.secret !== null,
    active: hook.active,
    subject: owner.subject,
    type: "webhook_subscription",
    events: hook.events,
    uuid: hook.uuid,
  };
}

function hookNotFound(uid: string): Response {
  return errorResponse(404, `${uid} does not exist`);
}
