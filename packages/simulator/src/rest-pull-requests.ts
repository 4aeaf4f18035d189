/** Pull requests: lists with a filter, one by number, comments on one. */
import { z } from "zod";
import { commentJson, listedPullRequestJson, pullRequestJson } from "./pull-request-json.ts";
import type { PullRequestState } from "./pull-request-state.ts";
import { fullName } from "./repository-state.ts";
import { errorResponse, fieldErrors, jsonResponse, plainNotFound } from "./rest-error.ts";
import { pageResponse } from "./rest-page.ts";
import { parseQuery, type QueryCondition } from "./rest-query.ts";
import type { RestRequest, RestRoute } from "./rest-router.ts";

const LIMITS = { defaultPagelen: 10, maxPagelen: 50 };
const STATES = new Set(["OPEN", "MERGED", "DECLINED", "SUPERSEDED"]);
const COMMENT = z.object({ content: z.object({ raw: z.string().min(1) }) });

/** Fields that `q` may compare. */
const FIELDS: Readonly<Record<string, (pull: PullRequestState) => string>> = {
  state: (pull) => pull.state,
  title: (pull) => pull.title,
  "source.branch.name": (pull) => pull.sourceBranch,
  "source.repository.full_name": (pull) => fullName(pull.source),
  "destination.branch.name": (pull) => pull.destinationBranch,
};

/** `pullrequests`, one of them, and its comments. */
export const pullRequestRoutes: readonly RestRoute[] = [
  { method: "GET", path: "/pullrequests", scope: "pullrequest", handle: listPullRequests },
  { method: "GET", path: "/pullrequests/:id", scope: "pullrequest", handle: getPullRequest },
  { method: "POST", path: "/pullrequests/:id/comments", scope: "pullrequest", handle: postComment },
];

/** Open ones unless `state` or `q` says otherwise; newest first. */
function listPullRequests({ repository, url }: RestRequest): Response {
  const query = url.searchParams.get("q");
  const conditions = query === null ? [] : parseQuery(query);
  const matches = conditions === null ? null : toTest(conditions);
  if (conditions === null || matches === null) return errorResponse(400, `Invalid query: ${query ?? ""}`);
  const isAnyState = conditions.some(({ field }) => field === "state");
  const asked = url.searchParams.getAll("state");
  if (asked.some((state) => !STATES.has(state))) return errorResponse(400, "Invalid pull request state");
  const states = asked.length === 0 ? ["OPEN"] : asked;
  const found = repository.state.pullRequests.filter(
    (pull) => (isAnyState || states.includes(pull.state)) && matches(pull),
  );
  return pageResponse(url, found.toReversed(), { ...LIMITS, toJson: listedPullRequestJson });
}

function getPullRequest({ repository, param }: RestRequest): Response {
  const pull = repository.state.pullRequests[Number(param("id")) - 1];
  return pull === undefined ? plainNotFound() : jsonResponse(pullRequestJson(pull));
}

/** Fires a webhook like anybody's comment: integrations must not answer themselves. */
async function postComment({ repository, account, param, json }: RestRequest): Promise<Response> {
  const pull = repository.state.pullRequests[Number(param("id")) - 1];
  if (pull === undefined) return plainNotFound();
  const body = COMMENT.safeParse(await json());
  if (!body.success) return fieldErrors({ content: ["This field is required."] });
  const { commentId } = repository.pullRequest(pull.id).comment(account, body.data.content.raw);
  const comment = pull.comments.find((one) => one.id === commentId);
  return comment === undefined ? plainNotFound() : jsonResponse(commentJson(pull, comment), 201);
}

/** The test that a pull request must pass; null when it names a field that this server does not compare. */
function toTest(conditions: readonly QueryCondition[]): ((pull: PullRequestState) => boolean) | null {
  if (conditions.some(({ field }) => !Object.hasOwn(FIELDS, field))) return null;
  return (pull) => conditions.every(({ field, value }) => FIELDS[field]?.(pull) === value);
}
