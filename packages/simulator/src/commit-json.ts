/** A commit in its widths: named by hash, target of a ref, entry of a list, REST resource. */
import { accountJson } from "./account.ts";
import type { Commit } from "./commit.ts";
import type { JsonObject } from "./json.ts";
import { href } from "./links.ts";
import { renderedJson } from "./markup.ts";
import { repositoryPage, repositoryReferenceJson, repositoryUrl } from "./repository-json.ts";
import type { RepositoryState } from "./repository-state.ts";
import { toSecondsText } from "./seeded-source.ts";

/** Digits of a hash in pull request bodies; pushes have all 40 (BCLOUD-21201, BCLOUD-19393). */
const SHORT_HASH_LENGTH = 12;

/** The first twelve digits. */
export function shortHash(commit: Commit): string {
  return commit.hash.slice(0, SHORT_HASH_LENGTH);
}

/** `{type, hash, links}`, with the hash as given: 40 digits in parents, 12 in pull requests. */
export function commitReferenceJson(repository: RepositoryState, hash: string): JsonObject {
  return { hash, links: pageLinksJson(repository, hash), type: "commit" };
}

/** The `target` of a branch or tag in a push. */
export function commitTargetJson(repository: RepositoryState, commit: Commit): JsonObject {
  return { ...pushedCommitJson(repository, commit), links: pageLinksJson(repository, commit.hash) };
}

/** An entry of `push.changes[].commits`. */
export function pushedCommitJson(repository: RepositoryState, commit: Commit): JsonObject {
  return {
    type: "commit",
    hash: commit.hash,
    date: toSecondsText(commit.date),
    author: authorJson(commit),
    committer: {},
    message: commit.message,
    summary: renderedJson(commit.message),
    links: allLinksJson(repository, commit.hash),
    parents: parentsJson(repository, commit),
    rendered: {},
    properties: {},
  };
}

/** The `commit` of a build status in a webhook: no parents, no patch. */
export function statusCommitJson(repository: RepositoryState, commit: Commit): JsonObject {
  const { patch: _, ...links } = allLinksJson(repository, commit.hash);
  return {
    type: "commit",
    hash: commit.hash,
    date: toSecondsText(commit.date),
    author: authorJson(commit),
    message: commit.message,
    links,
  };
}

/** The `target` of a branch in the REST API. */
export function branchTargetJson(repository: RepositoryState, commit: Commit): JsonObject {
  return {
    ...statusCommitJson(repository, commit),
    links: allLinksJson(repository, commit.hash),
    parents: parentsJson(repository, commit),
    repository: repositoryReferenceJson(repository),
  };
}

/** `GET …/commit/{commit}`. */
export function commitResourceJson(repository: RepositoryState, commit: Commit): JsonObject {
  return {
    ...branchTargetJson(repository, commit),
    summary: renderedJson(commit.message),
    rendered: { message: renderedJson(commit.message) },
    participants: [],
  };
}

function authorJson(commit: Commit): JsonObject {
  const { raw, account } = commit.author;
  return { type: "author", raw, ...(account === null ? {} : { user: accountJson(account) }) };
}

function parentsJson(repository: RepositoryState, commit: Commit): JsonObject[] {
  return commit.parents.map((parent) => commitReferenceJson(repository, parent.hash));
}

function pageLinksJson(repository: RepositoryState, hash: string): JsonObject {
  return {
    self: href(`${repositoryUrl(repository)}/commit/${hash}`),
    html: href(`${repositoryPage(repository)}/commits/${hash}`),
  };
}

function allLinksJson(repository: RepositoryState, hash: string): JsonObject {
  const self = `${repositoryUrl(repository)}/commit/${hash}`;
  return {
    ...pageLinksJson(repository, hash),
    diff: href(`${repositoryUrl(repository)}/diff/${hash}`),
    approve: href(`${self}/approve`),
    comments: href(`${self}/comments`),
    statuses: href(`${self}/statuses`),
    patch: href(`${repositoryUrl(repository)}/patch/${hash}`),
  };
}
