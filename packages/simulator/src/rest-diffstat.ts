/** Diffstats: which files differ between two commits, page by page. */
import type { Commit, FileTree } from "./commit.ts";
import { findMergeBase } from "./commit-graph.ts";
import type { Json, JsonObject } from "./json.ts";
import { href } from "./links.ts";
import { repositoryUrl } from "./repository-json.ts";
import { lookUpRevision, type RepositoryState } from "./repository-state.ts";
import { commitNotFound, plainNotFound } from "./rest-error.ts";
import { pageResponse, type PageLimits } from "./rest-page.ts";
import type { RestRequest, RestRoute } from "./rest-router.ts";
import { pullRequestSpec } from "./pull-request-json.ts";
import { fullName } from "./repository-state.ts";
import { diffTrees, type FileDiff } from "./tree-diff.ts";

const DIFFSTAT_LIMITS: PageLimits = { defaultPagelen: 500, maxPagelen: 5000 };
const EMPTY_TREE: FileTree = new Map();

/** `[workspace/repo:]A[..B]`; Bitbucket's own links have a carriage return for the dots. */
const SPEC = /^(?:[^/:]+\/([^/:]+):)?([^]+?)(?:(?:\.\.|\r)([^]+))?$/;

interface Comparison {
  /** What the files are compared to; null = nothing, for a first commit. */
  readonly before: Commit | null;
  readonly after: Commit;
}

/** `diffstat/{spec}` and `pullrequests/{id}/diffstat`. */
export const diffstatRoutes: readonly RestRoute[] = [
  { method: "GET", path: "/diffstat/*", scope: "repository", handle: getDiffstat },
  { method: "GET", path: "/pullrequests/:id/diffstat", scope: "pullrequest", handle: redirectToDiffstat },
];

function getDiffstat(request: RestRequest): Response {
  const { url, repository } = request;
  const comparison = findComparison(repository.state, request.rest, url.searchParams.get("topic") === "true");
  if (comparison === null) return commitNotFound();
  const { before, after } = comparison;
  const paths = url.searchParams.getAll("path");
  const diffs = diffTrees(before?.tree ?? EMPTY_TREE, after.tree, {
    renames: url.searchParams.get("renames") !== "false",
  }).filter((diff) => paths.length === 0 || paths.some((path) => touches(diff, path)));
  return pageResponse(url, diffs, {
    ...DIFFSTAT_LIMITS,
    toJson: (diff) => diffstatJson(repository.state, comparison, diff),
  });
}

function redirectToDiffstat({ repository, url, param }: RestRequest): Response {
  const pull = repository.state.pullRequests[Number(param("id")) - 1];
  if (pull === undefined) return plainNotFound();
  const path = `/2.0/repositories/${fullName(repository.state)}/diffstat/${pullRequestSpec(pull)}`;
  const location = `${url.origin}${path}?from_pullrequest_id=${pull.id}&topic=true`;
  return new Response(null, { status: 302, headers: { location } });
}

/** `A..B` shows what A has and B has not: the reverse of git. One commit is compared to its first parent. */
function findComparison(repository: RepositoryState, spec: string, isTopic: boolean): Comparison | null {
  const parts = SPEC.exec(spec);
  const after = parts?.[2] === undefined ? null : findComparable(repository, parts[2]);
  if (after === null) return null;
  if (parts?.[3] === undefined) return { before: after.parents[0] ?? null, after };
  const other = findComparable(repository, parts[3]);
  if (other === null) return null;
  return { before: isTopic ? findMergeBase(after, other) : other, after };
}

/** A revision of the repository, or of a fork that has a pull request into it. */
function findComparable(repository: RepositoryState, revision: string): Commit | null {
  const found = lookUpRevision(repository, revision);
  if (found.kind !== "unknown") return found.kind === "found" ? found.commit : null;
  for (const pull of repository.pullRequests) {
    const commit = [pull.sourceCommit, ...pull.reviewed].find((one) => one.hash.startsWith(revision));
    if (commit !== undefined) return commit;
  }
  return null;
}

function touches(diff: FileDiff, path: string): boolean {
  const isBelow = (file: string | null): boolean => file === path || file?.startsWith(`${path}/`) === true;
  return isBelow(diff.oldPath) || isBelow(diff.newPath);
}

function diffstatJson(repository: RepositoryState, comparison: Comparison, diff: FileDiff): JsonObject {
  return {
    type: "diffstat",
    lines_added: diff.linesAdded,
    lines_removed: diff.linesRemoved,
    status: diff.status,
    old: fileJson(repository, comparison.before, diff.oldPath),
    new: fileJson(repository, comparison.after, diff.newPath),
  };
}

function fileJson(repository: RepositoryState, commit: Commit | null, path: string | null): Json {
  if (path === null || commit === null) return null;
  const escaped = path.split("/").map(encodeURIComponent).join("/");
  return {
    path,
    type: "commit_file",
    escaped_path: escaped,
    links: { self: href(`${repositoryUrl(repository)}/src/${commit.hash}/${escaped}`) },
  };
}
