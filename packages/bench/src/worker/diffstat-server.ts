/**
 * A Bitbucket that knows one answer: every diffstat has the same files. The simulator computes real ones, and would take
 * the core that the worker under test needs.
 */
import { createServer } from "node:http";
import { once } from "node:events";
import type { RunningRole } from "../roles.ts";

/** The folder that every push changes. */
export const CHANGED_FOLDER = "network";
const CHANGED_FILES = [`${CHANGED_FOLDER}/main.tf`, `${CHANGED_FOLDER}/routes.tf`, "README.md"];

/** The role `diffstat`; ready with its URL. */
export async function startDiffstatServer(): Promise<RunningRole> {
  const values = CHANGED_FILES.map((path) => ({
    type: "diffstat",
    lines_added: 3,
    lines_removed: 1,
    status: "modified",
    old: { path, type: "commit_file", escaped_path: path },
    new: { path, type: "commit_file", escaped_path: path },
  }));
  const answer = Buffer.from(JSON.stringify({ values, pagelen: 1_000, size: values.length, page: 1 }));
  const server = createServer((request, response) => {
    const isDiffstat = request.url?.includes("/diffstat/") === true;
    response.writeHead(isDiffstat ? 200 : 404, {
      "content-type": "application/json",
      "content-length": isDiffstat ? answer.byteLength : 0,
    });
    response.end(isDiffstat ? answer : undefined);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return {
    ready: `http://127.0.0.1:${port}/2.0`,
    async close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
