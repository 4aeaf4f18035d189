/** Build statuses of a commit. */
import { z } from "zod";
import { BUILD_STATES, findStatus, MAX_STATUS_KEY_LENGTH, type BuildStatusInput } from "./build-status.ts";
import { statusResourceJson } from "./build-status-json.ts";
import { findCommit } from "./rest-commits.ts";
import { commitNotFound, errorResponse, fieldErrors, jsonResponse } from "./rest-error.ts";
import { pageResponse, USUAL_LIMITS } from "./rest-page.ts";
import type { RestRequest, RestRoute } from "./rest-router.ts";
import { listFieldErrors } from "./rest-input.ts";

const REQUIRED = "This field is required.";
const STATUS = z.object({
  key: z.string(REQUIRED).max(MAX_STATUS_KEY_LENGTH, {
    error: ({ input }) => tooLong(typeof input === "string" ? input.length : 0),
  }),
  state: z.enum(BUILD_STATES, REQUIRED),
  name: z.string().optional(),
  url: z.string().optional(),
  description: z.string().optional(),
  refname: z.string().nullish(),
});

/** Word for word what public projects have quoted. */
function tooLong(length: number): string {
  return `Ensure this value has at most ${MAX_STATUS_KEY_LENGTH} characters (it has ${length}).`;
}

/** `commit/{commit}/statuses`. */
export const statusRoutes: readonly RestRoute[] = [
  { method: "GET", path: "/commit/:commit/statuses", scope: "repository", handle: listStatuses },
  { method: "POST", path: "/commit/:commit/statuses/build", scope: "repository", handle: postStatus },
  { method: "PUT", path: "/commit/:commit/statuses/build/:key", scope: "repository", handle: putStatus },
  { method: "GET", path: "/commit/:commit/statuses/build/:key", scope: "repository", handle: getStatus },
];

function listStatuses({ repository, url, param }: RestRequest): Response {
  const commit = findCommit(repository.state, param("commit"));
  if (commit === null) return commitNotFound();
  return pageResponse(
    url,
    repository.state.statuses.filter((status) => status.commit === commit),
    { ...USUAL_LIMITS, toJson: (status) => statusResourceJson(repository.state, status) },
  );
}

function getStatus({ repository, param }: RestRequest): Response {
  const commit = findCommit(repository.state, param("commit"));
  if (commit === null) return commitNotFound();
  const status = findStatus(repository.state, commit, param("key"));
  return status === null
    ? errorResponse(404, "Build status not found.")
    : jsonResponse(statusResourceJson(repository.state, status));
}

/** The same key overwrites. */
async function postStatus(request: RestRequest): Promise<Response> {
  return report(request, await request.json(), 201);
}

/** The key in the path wins. Only for a status that is there. */
async function putStatus(request: RestRequest): Promise<Response> {
  const commit = findCommit(request.repository.state, request.param("commit"));
  if (commit === null) return commitNotFound();
  const before = findStatus(request.repository.state, commit, request.param("key"));
  if (before === null) return errorResponse(404, "Build status not found.");
  const { state, name, url, description, refname } = before;
  const body = await request.json();
  const changes = typeof body === "object" ? body : {};
  return report(request, { state, name, url, description, refname, ...changes, key: before.key }, 200);
}

function report({ repository, account, param }: RestRequest, body: unknown, status: number): Response {
  const commit = findCommit(repository.state, param("commit"));
  if (commit === null) return commitNotFound();
  const parsed = STATUS.safeParse(body);
  if (!parsed.success) return fieldErrors(listFieldErrors(parsed.error));
  const { key, state, name, url, description, refname } = parsed.data;
  const input: BuildStatusInput = {
    key,
    state,
    name: name ?? key,
    url: url ?? "",
    description: description ?? "",
    refname: refname ?? null,
  };
  const reported = repository.reportStatus(commit.hash, { ...input, by: account });
  return jsonResponse(statusResourceJson(repository.state, reported.status), status);
}
