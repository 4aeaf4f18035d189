/** The bodies of webhooks, as Bitbucket Cloud writes them today. The event key is not in a body: it is a header. */
import { accountJson, type Account } from "./account.ts";
import { pushedStatusJson } from "./build-status-json.ts";
import type { BuildStatus } from "./build-status.ts";
import { pushedCommitJson } from "./commit-json.ts";
import type { Json, JsonObject } from "./json.ts";
import { href } from "./links.ts";
import { commentJson, pullRequestJson } from "./pull-request-json.ts";
import type { Comment, PullRequestState } from "./pull-request-state.ts";
import type { RefChange } from "./push.ts";
import { refSnapshotJson } from "./ref-json.ts";
import { repositoryJson, repositoryPage, repositoryUrl } from "./repository-json.ts";
import type { RepositoryState } from "./repository-state.ts";
import { toMicrosecondsText, type Instant } from "./seeded-source.ts";

/** `repo:push`. A null actor is what a push with a deploy key may have. */
export function pushBody(
  repository: RepositoryState,
  changes: readonly RefChange[],
  actor: Account | null,
): JsonObject {
  return {
    push: { changes: changes.map((change) => changeJson(repository, change)) },
    ...envelopeJson(repository, actor),
  };
}

/** `pullrequest:created`, `updated`, `fulfilled`, `rejected`: one shape. */
export function pullRequestBody(pull: PullRequestState, actor: Account): JsonObject {
  return { ...envelopeJson(pull.destination, actor), pullrequest: pullRequestJson(pull) };
}

/** `pullrequest:approved`, `unapproved`. */
export function approvalBody(pull: PullRequestState, actor: Account, date: Instant): JsonObject {
  return { ...pullRequestBody(pull, actor), approval: verdictJson(actor, date) };
}

/** `pullrequest:changes_request_created`, `changes_request_removed`; the shape is what peers read, no capture exists. */
export function changesRequestBody(pull: PullRequestState, actor: Account, date: Instant): JsonObject {
  return { ...pullRequestBody(pull, actor), changes_request: verdictJson(actor, date) };
}

/** `pullrequest:comment_created`, `comment_updated`, `comment_deleted`. */
export function commentBody(pull: PullRequestState, comment: Comment, actor: Account): JsonObject {
  return { comment: commentJson(pull, comment), ...pullRequestBody(pull, actor) };
}

/** `repo:commit_status_created`, `commit_status_updated`. */
export function statusBody(repository: RepositoryState, status: BuildStatus, actor: Account): JsonObject {
  return { ...envelopeJson(repository, actor), commit_status: pushedStatusJson(repository, status) };
}

function envelopeJson(repository: RepositoryState, actor: Account | null): JsonObject {
  return { repository: repositoryJson(repository), actor: actor === null ? null : accountJson(actor) };
}

function verdictJson(user: Account, date: Instant): JsonObject {
  return { date: toMicrosecondsText(date), user: accountJson(user) };
}

/** Deleted refs have neither `links` nor `commits`, tags have no `commits`. */
function changeJson(repository: RepositoryState, change: RefChange): JsonObject {
  const snapshot = (at: RefChange["old"]): Json =>
    at === null ? null : refSnapshotJson(repository, change, at);
  const isBranch = change.refKind === "branch";
  return {
    old: snapshot(change.old),
    new: snapshot(change.new),
    truncated: change.isTruncated,
    created: change.old === null,
    forced: change.isForced,
    closed: change.new === null,
    ...(change.new === null ? {} : { links: changeLinksJson(repository, change) }),
    ...(change.new === null || !isBranch
      ? {}
      : { commits: change.commits.map((commit) => pushedCommitJson(repository, commit)) }),
  };
}

/** Tags have `commits` only; `diff` and the compare page are there where the old head is part of the new one. */
function changeLinksJson(repository: RepositoryState, change: RefChange): JsonObject {
  const api = repositoryUrl(repository);
  const page = repositoryPage(repository);
  const head = change.new?.commit.hash ?? "";
  const old = change.old?.commit.hash;
  const commits = href(`${api}/commits?include=${head}${old === undefined ? "" : `&exclude=${old}`}`);
  if (change.refKind === "tag") return { commits };
  if (old === undefined || change.isForced) return { commits, html: href(`${page}/branch/${change.name}`) };
  return {
    commits,
    html: href(`${page}/branches/compare/${head}..${old}`),
    diff: href(`${api}/diff/${head}..${old}`),
  };
}
