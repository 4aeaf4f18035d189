/** The repository itself and its branches. */
import { repositoryResourceJson } from "./repository-json.ts";
import { branchResourceJson } from "./ref-json.ts";
import { errorResponse, jsonResponse } from "./rest-error.ts";
import { pageResponse, USUAL_LIMITS } from "./rest-page.ts";
import type { RestRequest, RestRoute } from "./rest-router.ts";

/** The repository and `refs/branches`. */
export const refRoutes: readonly RestRoute[] = [
  {
    method: "GET",
    path: "",
    scope: "repository",
    handle: ({ repository }) => jsonResponse(repositoryResourceJson(repository.state)),
  },
  { method: "GET", path: "/refs/branches", scope: "repository", handle: listBranches },
  { method: "GET", path: "/refs/branches/*", scope: "repository", handle: getBranch },
];

function listBranches({ repository, url }: RestRequest): Response {
  const branches = [...repository.state.branches].toSorted(([a], [b]) => (a < b ? -1 : 1));
  return pageResponse(url, branches, {
    ...USUAL_LIMITS,
    toJson: ([name, head]) => branchResourceJson(repository.state, name, head),
  });
}

function getBranch({ repository, rest }: RestRequest): Response {
  const head = repository.state.branches.get(rest);
  if (head === undefined) return errorResponse(404, `Branch ${rest} not found`);
  return jsonResponse(branchResourceJson(repository.state, rest, head));
}
