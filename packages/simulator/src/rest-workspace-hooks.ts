/** Webhook subscriptions of a workspace, which fire for all of its repositories. */
import type { Bitbucket } from "./bitbucket.ts";
import { API } from "./links.ts";
import { authenticate, refuseScope, type Credential } from "./rest-auth.ts";
import { errorResponse } from "./rest-error.ts";
import { HOOK_ROUTES, type HookOwner } from "./rest-hooks.ts";
import type { RestApp } from "./rest-router.ts";
import { workspaceJson, type Workspace } from "./workspace.ts";

/** Adds `hooks` of workspaces. Only their admins get at them. */
export function addWorkspaceHookRoutes(
  app: RestApp,
  { bitbucket, credentials }: { readonly bitbucket: Bitbucket; readonly credentials: readonly Credential[] },
): void {
  for (const route of HOOK_ROUTES) {
    app.on(route.method, `/2.0/workspaces/:workspace${route.path}`, async (c) => {
      const credential = authenticate(c.req.header("authorization"), credentials);
      if (credential instanceof Response) return credential;
      const refusal = refuseScope(credential, "webhook", route.access);
      if (refusal !== null) return refusal;
      const slug = c.req.param("workspace") ?? "";
      const workspace = findWorkspace(bitbucket, slug);
      if (workspace === null) return errorResponse(404, `No workspace with identifier '${slug}'.`);
      const { isWorkspaceAdmin = credential.repositories === undefined } = credential;
      if (!isWorkspaceAdmin) {
        return errorResponse(403, "Your credentials lack one or more required privilege scopes.");
      }
      return route.answer({
        owner: ownerOf(bitbucket, workspace),
        url: new URL(c.req.url),
        uid: c.req.param("uid") ?? "",
        json: () => c.req.json().catch(() => undefined),
      });
    });
  }
}

/** A workspace that has no repository is none here: asking for it must not make it. */
function findWorkspace(bitbucket: Bitbucket, slug: string): Workspace | null {
  const found = bitbucket.repositories.find(
    ({ state }) => state.workspace.slug.toLowerCase() === slug.toLowerCase(),
  );
  return found?.state.workspace ?? null;
}

function ownerOf(bitbucket: Bitbucket, workspace: Workspace): HookOwner {
  return {
    hooks: workspace.hooks,
    createHook: (input) => bitbucket.createWorkspaceHook(workspace.slug, input),
    deleteHook: (uuid) => void workspace.hooks.delete(uuid),
    url: `${API}/workspaces/${workspace.slug}`,
    subject: workspaceJson(workspace),
  };
}
