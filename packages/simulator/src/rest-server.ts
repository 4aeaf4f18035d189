/** The REST API of a simulated Bitbucket, over HTTP on this machine. */
import { once } from "node:events";
import { serve, type HttpBindings, type ServerType } from "@hono/node-server";
import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import { Hono, type Context, type Next } from "hono";
import { accountJson } from "./account.ts";
import type { Bitbucket } from "./bitbucket.ts";
import { createFaultList, type FaultList } from "./fault-list.ts";
import { authenticate, DEFAULT_CREDENTIALS, refuseScope, type Credential } from "./rest-auth.ts";
import { commitRoutes } from "./rest-commits.ts";
import { diffstatRoutes } from "./rest-diffstat.ts";
import { errorResponse, goneResponse, jsonResponse } from "./rest-error.ts";
import { answerInstead, matchesRoute, withNext, type RestFault } from "./rest-fault.ts";
import { hookRoutes } from "./rest-hooks.ts";
import { pullRequestRoutes } from "./rest-pull-requests.ts";
import { refRoutes } from "./rest-refs.ts";
import { addRoutes, type RestApp } from "./rest-router.ts";
import { statusRoutes } from "./rest-statuses.ts";
import { addWorkspaceHookRoutes } from "./rest-workspace-hooks.ts";

export interface BitbucketServerOptions {
  readonly bitbucket: Bitbucket;
  /** Default: any free one. */
  readonly port?: number;
  /** Who may call; default: `DEFAULT_CREDENTIALS`. There is no way to call without. */
  readonly credentials?: readonly Credential[];
}

/** One call, answered by a fault or for real. `status` is null when the connection was cut. */
export interface RestCall {
  readonly method: string;
  /** Percent-decoded, from `/2.0` on. */
  readonly path: string;
  /** With its `?`; empty without a query. */
  readonly query: string;
  readonly status: number | null;
}

export interface BitbucketServer {
  /** `http://127.0.0.1:<port>/2.0`: what stands for https://api.bitbucket.org/2.0. */
  readonly url: string;
  /** Every call since the start or the last `clearCalls`, in the order of the answers. */
  readonly calls: readonly RestCall[];
  /** How many calls fit a pattern such as `GET *diffstat*`, where `*` stands for anything. */
  countCalls(pattern: string): number;
  clearCalls(): void;
  /**
   * Makes calls go wrong from now on, `times` times or until cleared. The newest that fits wins.
   * @returns what ends it
   */
  injectFault(pattern: string, fault: RestFault, options?: { readonly times?: number }): () => void;
  close(): Promise<void>;
}

interface Traffic {
  readonly calls: RestCall[];
  readonly faults: FaultList<RestFault, Pick<RestCall, "method" | "path">>;
}

/** Starts listening on 127.0.0.1. @throws the error of `listen`, when the port is taken */
export async function startBitbucketServer(options: BitbucketServerOptions): Promise<BitbucketServer> {
  const calls: RestCall[] = [];
  const faults: Traffic["faults"] = createFaultList();
  const app = createApp(options, { calls, faults });
  const { server, port } = await listen(app, options.port ?? 0);

  return {
    url: `http://127.0.0.1:${port}/2.0`,
    calls,
    countCalls: (pattern) => calls.filter((call) => matchesRoute(pattern, call.method, call.path)).length,
    clearCalls: () => void calls.splice(0),
    injectFault: (pattern, fault, { times } = {}) =>
      faults.add(fault, ({ method, path }) => matchesRoute(pattern, method, path), times),
    close: async () => {
      const closed = once(server, "close");
      server.close();
      if ("closeAllConnections" in server) server.closeAllConnections();
      await closed;
    },
  };
}

function listen(app: RestApp, port: number): Promise<{ readonly server: ServerType; readonly port: number }> {
  return new Promise((resolve, reject) => {
    const server = serve({ fetch: app.fetch, port, hostname: "127.0.0.1" }, (address) => {
      resolve({ server, port: address.port });
    });
    server.once("error", reject);
  });
}

function createApp(options: BitbucketServerOptions, traffic: Traffic): RestApp {
  const { bitbucket, credentials = DEFAULT_CREDENTIALS } = options;
  const app: RestApp = new Hono();
  app.use("*", (c, next) => misbehave(c, next, traffic));
  app.get("/2.0/repositories", goneResponse);
  app.get("/2.0/workspaces", goneResponse);
  app.get("/2.0/user", (c) => getUser(c.req.header("authorization"), credentials));
  const routes = [
    ...refRoutes,
    ...diffstatRoutes,
    ...commitRoutes,
    ...statusRoutes,
    ...pullRequestRoutes,
    ...hookRoutes,
  ];
  addRoutes(app, routes, { bitbucket, credentials });
  addWorkspaceHookRoutes(app, { bitbucket, credentials });
  app.notFound(() => errorResponse(404, "Resource not found"));
  app.onError((error) => errorResponse(500, error.message));
  return app;
}

/** Needs a scope of its own, so a token for repositories alone fails here. */
function getUser(header: string | undefined, credentials: readonly Credential[]): Response {
  const credential = authenticate(header, credentials);
  if (credential instanceof Response) return credential;
  const refusal = refuseScope(credential, "account");
  if (refusal !== null) return refusal;
  return credential.account === undefined
    ? errorResponse(404, "This credential belongs to no user")
    : jsonResponse(accountJson(credential.account));
}

/** Puts the fault that is in force in place of the answer, or around it, and records the call. */
async function misbehave(
  c: Context<{ Bindings: HttpBindings }>,
  next: Next,
  { calls, faults }: Traffic,
): Promise<Response | undefined> {
  const url = new URL(c.req.url);
  const cutConnection = (): Response => {
    calls.push({ ...call, status: null });
    c.env.incoming.socket.destroy();
    return RESPONSE_ALREADY_SENT;
  };
  const call = { method: c.req.method, path: decodeURIComponent(url.pathname), query: url.search };
  const fault = faults.take(call);
  if (fault?.kind === "reset") return cutConnection();
  if (fault?.kind === "slow") await wait(fault.delayMs);
  const instead = fault === null ? null : answerInstead(fault);
  if (instead === null) await next();
  if (fault?.kind === "lost_answer") {
    // Hono would send the answer that it has.
    c.res = cutConnection();
    return undefined;
  }
  if (fault?.kind === "next_elsewhere") c.res = await withNext(c.res, fault.url);
  calls.push({ ...call, status: (instead ?? c.res).status });
  return instead ?? undefined;
}

function wait(delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    // Alone, it must not keep a process alive that has closed the server.
    setTimeout(resolve, delayMs).unref();
  });
}
