/** Registers routes of a repository: credentials, scope and repository are settled before a handler runs. */
import type { HttpBindings } from "@hono/node-server";
import type { Context, Hono } from "hono";
import type { Account } from "./account.ts";
import type { Bitbucket } from "./bitbucket.ts";
import type { Repository } from "./repository.ts";
import { ownerOf } from "./repository-state.ts";
import { authenticate, refuseScope, type Access, type Credential, type Scope } from "./rest-auth.ts";
import { errorResponse } from "./rest-error.ts";

const REPOSITORY_PATH = "/2.0/repositories/:workspace/:repository";

/** The application, with Node's request and response within reach. */
export type RestApp = Hono<{ Bindings: HttpBindings }>;

export interface RestRequest {
  readonly bitbucket: Bitbucket;
  readonly repository: Repository;
  /** Who acts. */
  readonly account: Account;
  readonly url: URL;
  /** A part of the path, percent-decoded. */
  readonly param: (name: string) => string;
  /** The decoded rest of the path behind what the route names: for specs, branches and files, which hold slashes. */
  readonly rest: string;
  /** The parsed body; undefined when it is not JSON. */
  readonly json: () => Promise<unknown>;
}

export type RestHandler = (request: RestRequest) => Response | Promise<Response>;

export interface RestRoute {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** Below the repository; with a last `*`, the handler finds that part in `rest`. */
  readonly path: string;
  readonly scope: Scope;
  /** Default: `read`, also where something is written: a build's status needs no more. */
  readonly access?: Access;
  readonly handle: RestHandler;
}

/** Adds the routes. Order matters: the first that fits wins. */
export function addRoutes(
  app: RestApp,
  routes: readonly RestRoute[],
  context: { readonly bitbucket: Bitbucket; readonly credentials: readonly Credential[] },
): void {
  for (const route of routes) {
    app.on(route.method, `${REPOSITORY_PATH}${route.path}`, async (c) => {
      const credential = authenticate(c.req.header("authorization"), context.credentials);
      if (credential instanceof Response) return credential;
      const refusal = refuseScope(credential, route.scope, route.access);
      if (refusal !== null) return refusal;
      const names = {
        workspace: c.req.param("workspace") ?? "",
        repository: c.req.param("repository") ?? "",
      };
      const repository = findVisible(context.bitbucket, credential, names);
      if (repository === null) {
        return errorResponse(404, `Repository ${names.workspace}/${names.repository} not found`);
      }
      const account = credential.account ?? ownerOf(repository.state);
      return route.handle({ ...toRequest(c, route), bitbucket: context.bitbucket, repository, account });
    });
  }
}

/** Both parts are a slug or a uuid in braces. What a credential cannot see is not there. */
function findVisible(
  bitbucket: Bitbucket,
  credential: Credential,
  names: { readonly workspace: string; readonly repository: string },
): Repository | null {
  const workspace = names.workspace.toLowerCase();
  const found = bitbucket.repositories.find(
    ({ uuid, state }) =>
      (uuid === names.repository || state.slug === names.repository.toLowerCase()) &&
      (state.workspace.slug.toLowerCase() === workspace || state.workspace.uuid === workspace),
  );
  if (found === undefined) return null;
  return credential.repositories?.includes(found.fullName) === false ? null : found;
}

function toRequest(c: Context, route: RestRoute): Pick<RestRequest, "url" | "param" | "rest" | "json"> {
  const url = new URL(c.req.url);
  const fixed = `${REPOSITORY_PATH}${route.path}`.split("/").length - 1;
  return {
    url,
    rest: decodeURIComponent(url.pathname.split("/").slice(fixed).join("/")),
    param: (name) => c.req.param(name) ?? "",
    json: () => c.req.json().catch(() => undefined),
  };
}
