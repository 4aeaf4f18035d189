/** Commits: by hash, their pull requests, their ancestry, their files. */
import type { Commit } from "./commit.ts";
import { findMergeBase } from "./commit-graph.ts";
import { commitResourceJson } from "./commit-json.ts";
import { listedPullRequestJson } from "./pull-request-json.ts";
import { lookUpHash, lookUpRevision, type RepositoryState } from "./repository-state.ts";
import { commitNotFound, errorResponse, jsonResponse } from "./rest-error.ts";
import { pageResponse, USUAL_LIMITS } from "./rest-page.ts";
import type { RestRequest, RestRoute } from "./rest-router.ts";

/** `commit/…`, `merge-base/…` and `src/…`. */
export const commitRoutes: readonly RestRoute[] = [
  { method: "GET", path: "/commit/:commit", scope: "repository", handle: getCommit },
  { method: "GET", path: "/commit/:commit/pullrequests", scope: "pullrequest", handle: getPullRequests },
  { method: "GET", path: "/merge-base/*", scope: "repository", handle: getMergeBase },
  { method: "GET", path: "/src/:commit/*", scope: "repository", handle: getFile },
];

/** The commit that a hash names; null when there is none or more than one. */
export function findCommit(repository: RepositoryState, hash: string): Commit | null {
  const found = lookUpHash(repository, hash);
  return found.kind === "found" ? found.commit : null;
}

function getCommit({ repository, param }: RestRequest): Response {
  const commit = findCommit(repository.state, param("commit"));
  return commit === null ? commitNotFound() : jsonResponse(commitResourceJson(repository.state, commit));
}

/** 404 without the app, 202 with an empty page while it indexes. */
function getPullRequests({ repository, url, param }: RestRequest): Response {
  const { state } = repository;
  if (state.commitLinks === "absent")
    return errorResponse(404, "Commit links are not indexed for this repository.");
  const limits = { ...USUAL_LIMITS, defaultPagelen: 30, toJson: listedPullRequestJson };
  if (state.commitLinks === "indexing") return pageResponse(url, [], { ...limits, status: 202 });
  const commit = findCommit(state, param("commit"));
  if (commit === null) return commitNotFound();
  return pageResponse(
    url,
    state.pullRequests.filter((pull) => pull.reviewed.has(commit)),
    limits,
  );
}

function getMergeBase({ repository, rest }: RestRequest): Response {
  const [a, b] = rest.split("..").map((revision) => lookUpRevision(repository.state, revision));
  if (a?.kind !== "found" || b?.kind !== "found") return commitNotFound();
  const base = findMergeBase(a.commit, b.commit);
  return base === null ? commitNotFound() : jsonResponse(commitResourceJson(repository.state, base));
}

/** The raw bytes of a file. Folders are not listed here. */
function getFile({ repository, rest, param }: RestRequest): Response {
  const commit = findCommit(repository.state, param("commit"));
  if (commit === null) return commitNotFound();
  const content = commit.tree.get(rest);
  if (content === undefined) return errorResponse(404, `No such file or directory: ${rest}`);
  return new Response(content, { headers: { "content-type": "application/octet-stream" } });
}
