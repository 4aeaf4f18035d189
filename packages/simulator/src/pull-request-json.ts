/** A pull request, in webhooks and in the REST API. */
import { accountJson } from "./account.ts";
import type { Commit } from "./commit.ts";
import { commitReferenceJson, shortHash } from "./commit-json.ts";
import type { Json, JsonObject } from "./json.ts";
import { href } from "./links.ts";
import { renderedJson } from "./markup.ts";
import {
  destinationCommit,
  type Comment,
  type Participant,
  type PullRequestState,
} from "./pull-request-state.ts";
import { repositoryPage, repositoryReferenceJson, repositoryUrl } from "./repository-json.ts";
import { fullName } from "./repository-state.ts";
import { toMicrosecondsText } from "./seeded-source.ts";

/** The `pullrequest` of webhooks, and `GET …/pullrequests/{id}`. */
export function pullRequestJson(pull: PullRequestState): JsonObject {
  const reviewers = pull.participants.filter((participant) => participant.role === "REVIEWER");
  return {
    ...listedPullRequestJson(pull),
    rendered: { title: renderedJson(pull.title), description: renderedJson(pull.description) },
    reviewers: reviewers.map((participant) => accountJson(participant.account)),
    participants: pull.participants.map(participantJson),
    queued: false,
  };
}

/** An entry of a list of pull requests: without reviewers and participants. */
export function listedPullRequestJson(pull: PullRequestState): JsonObject {
  return {
    comment_count: pull.comments.filter((comment) => !comment.isDeleted).length,
    task_count: 0,
    type: "pullrequest",
    id: pull.id,
    title: pull.title,
    description: pull.description,
    state: pull.state,
    draft: pull.isDraft,
    merge_commit: commitOrNull(pull, pull.mergeCommit),
    close_source_branch: pull.closeSourceBranch,
    closed_by: pull.closedBy === null ? null : accountJson(pull.closedBy),
    author: accountJson(pull.author),
    reason: pull.reason,
    created_on: toMicrosecondsText(pull.createdOn),
    updated_on: toMicrosecondsText(pull.updatedOn),
    destination: {
      branch: { name: pull.destinationBranch },
      commit: commitOrNull(pull, destinationCommit(pull)),
      repository: repositoryReferenceJson(pull.destination),
    },
    source: sourceJson(pull),
    links: linksJson(pull),
    summary: renderedJson(pull.description),
  };
}

/** The `comment` of webhooks. A deleted one keeps its place and loses its text. */
export function commentJson(pull: PullRequestState, comment: Comment): JsonObject {
  const url = `${pullRequestUrl(pull)}/comments/${comment.id}`;
  const page = `${pullRequestPage(pull)}/_/diff#comment-${comment.id}`;
  return {
    id: comment.id,
    created_on: toMicrosecondsText(comment.createdOn),
    updated_on: toMicrosecondsText(comment.updatedOn),
    content: renderedJson(comment.isDeleted ? "" : comment.text),
    user: accountJson(comment.author),
    deleted: comment.isDeleted,
    ...(comment.parentId === null ? {} : { parent: parentJson(pull, comment.parentId) }),
    ...(comment.inline === null ? {} : { inline: { ...comment.inline } }),
    type: "pullrequest_comment",
    links: { self: href(url), html: href(page) },
    pullrequest: {
      type: "pullrequest",
      id: pull.id,
      title: pull.title,
      links: { self: href(pullRequestUrl(pull)), html: href(pullRequestPage(pull)) },
    },
  };
}

/** What a pull request's `diffstat` compares: `{workspace}/{repo}:{from}\r{to}`, percent-encoded. */
export function pullRequestSpec(pull: PullRequestState): string {
  const from = pull.mergeCommit ?? pull.sourceCommit;
  const to = destinationCommit(pull);
  const repository = pull.mergeCommit === null ? pull.source : pull.destination;
  return `${fullName(repository)}:${shortHash(from)}%0D${to === null ? "" : shortHash(to)}`;
}

function sourceJson(pull: PullRequestState): JsonObject {
  const isGone = pull.source.isDeleted;
  return {
    branch: { name: pull.sourceBranch, links: {}, sync_strategies: ["merge_commit", "rebase"] },
    commit: isGone ? null : commitReferenceJson(pull.source, shortHash(pull.sourceCommit)),
    repository: isGone ? null : repositoryReferenceJson(pull.source),
  };
}

function parentJson(pull: PullRequestState, parentId: number): JsonObject {
  return {
    id: parentId,
    links: {
      self: href(`${pullRequestUrl(pull)}/comments/${parentId}`),
      html: href(`${pullRequestPage(pull)}/_/diff#comment-${parentId}`),
    },
  };
}

function participantJson(participant: Participant): JsonObject {
  return {
    type: "participant",
    user: accountJson(participant.account),
    role: participant.role,
    approved: participant.verdict === "approved",
    state: participant.verdict,
    participated_on:
      participant.participatedOn === null ? null : toMicrosecondsText(participant.participatedOn),
  };
}

function commitOrNull(pull: PullRequestState, commit: Commit | null): Json {
  return commit === null ? null : commitReferenceJson(pull.destination, shortHash(commit));
}

function linksJson(pull: PullRequestState): JsonObject {
  const self = pullRequestUrl(pull);
  const link = (name: string): JsonObject => href(`${self}/${name}`);
  const compare = (what: string): JsonObject =>
    href(
      `${repositoryUrl(pull.destination)}/${what}/${pullRequestSpec(pull)}?from_pullrequest_id=${pull.id}&topic=true`,
    );
  return {
    self: href(self),
    html: href(pullRequestPage(pull)),
    commits: link("commits"),
    approve: link("approve"),
    "request-changes": link("request-changes"),
    diff: compare("diff"),
    diffstat: compare("diffstat"),
    comments: link("comments"),
    activity: link("activity"),
    merge: link("merge"),
    decline: link("decline"),
    statuses: link("statuses"),
  };
}

function pullRequestUrl(pull: PullRequestState): string {
  return `${repositoryUrl(pull.destination)}/pullrequests/${pull.id}`;
}

function pullRequestPage(pull: PullRequestState): string {
  return `${repositoryPage(pull.destination)}/pull-requests/${pull.id}`;
}
