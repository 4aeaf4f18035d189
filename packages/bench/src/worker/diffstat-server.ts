/**
 * A Bitbucket that knows its answers beforehand: every diffstat of a repository has the same files. The simulator computes
 * real ones, and would take the core that the worker under test needs.
 */
import { createServer } from "node:http";
import { once } from "node:events";
import type { RunningRole } from "../roles.ts";

/** The folder that every push changes. */
export const CHANGED_FOLDER = "network";
const CHANGED_FILES = [`${CHANGED_FOLDER}/main.tf`, `${CHANGED_FOLDER}/routes.tf`, "README.md"];

/** One repository whose pushes change other files. */
export interface DiffstatServerInput {
  /** With braces. */
  readonly repositoryUuid: string;
  readonly files: readonly string[];
}

/** The role `diffstat`; ready with its URL. null = all repositories are alike. */
export async function startDiffstatServer(input: DiffstatServerInput | null): Promise<RunningRole> {
  const usual = diffstatOf(CHANGED_FILES);
  const other =
    input === null
      ? null
      : { address: encodeURIComponent(input.repositoryUuid), answer: diffstatOf(input.files) };
  const answerOf = (url: string): Buffer | null => {
    if (!url.includes("/diffstat/")) return null;
    return other !== null && url.includes(other.address) ? other.answer : usual;
  };
  const server = createServer(({ url = "" }, response) => {
    const answer = answerOf(url);
    response.writeHead(answer === null ? 404 : 200, {
      "content-type": "application/json",
      "content-length": answer?.byteLength ?? 0,
    });
    response.end(answer ?? undefined);
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

/** A page of Bitbucket's, which has room for them all. */
function diffstatOf(files: readonly string[]): Buffer {
  const values = files.map((path) => ({
    type: "diffstat",
    lines_added: 3,
    lines_removed: 1,
    status: "modified",
    old: { path, type: "commit_file", escaped_path: path },
    new: { path, type: "commit_file", escaped_path: path },
  }));
  return Buffer.from(JSON.stringify({ values, pagelen: 1_000, size: values.length, page: 1 }));
}
