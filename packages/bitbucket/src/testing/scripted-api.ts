/** A real HTTP server that answers what a test tells it to. */
import { once } from "node:events";
import { readFileSync } from "node:fs";

import { serve, type ServerType } from "@hono/node-server";

/** One request as it arrived. */
export interface ReceivedRequest {
  /** Path and query, still encoded. */
  readonly target: string;
  readonly method: string;
  readonly headers: Headers;
}

/** A running server. */
export interface ScriptedApi {
  /** `http://127.0.0.1:<port>/2.0`. */
  readonly url: string;
  readonly requests: readonly ReceivedRequest[];
  close(): Promise<void>;
}

/** Starts a server of which `answer` is all that it knows. `target` is path and query, below the API's base. */
export async function startScriptedApi(
  answer: (target: string, origin: string, request: Request) => Response | Promise<Response>,
): Promise<ScriptedApi> {
  const requests: ReceivedRequest[] = [];
  const server = await new Promise<ServerType>((resolve) => {
    const started = serve({ fetch: receive, port: 0, hostname: "127.0.0.1" }, () => resolve(started));
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server listens on no port");
  const origin = `http://127.0.0.1:${address.port}`;

  function receive(request: Request): Response | Promise<Response> {
    const target = request.url.slice(request.url.indexOf("/", "http://".length));
    requests.push({ target, method: request.method, headers: request.headers });
    return answer(target.replace(/^\/2\.0\//, ""), origin, request);
  }

  return {
    url: `${origin}/2.0`,
    requests,
    async close() {
      if (!server.listening) return;
      const closed = once(server, "close");
      server.close();
      if ("closeAllConnections" in server) server.closeAllConnections();
      await closed;
    },
  };
}

/** An answer of Bitbucket's shape, as it is kept in `samples`. */
export function sampleAnswer(name: string): Response {
  const body = readFileSync(new URL(`../samples/${name}.json`, import.meta.url));
  return new Response(body, { headers: { "content-type": "application/json; charset=utf-8" } });
}
