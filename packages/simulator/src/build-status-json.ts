/** A build status, in webhooks and in the REST API. */
import type { BuildStatus } from "./build-status.ts";
import { commitReferenceJson, statusCommitJson } from "./commit-json.ts";
import type { JsonObject } from "./json.ts";
import { href } from "./links.ts";
import { repositoryReferenceJson, repositoryUrl } from "./repository-json.ts";
import type { RepositoryState } from "./repository-state.ts";
import { toMicrosecondsText } from "./seeded-source.ts";

/** The `commit_status` of webhooks: its commit has author and message. */
export function pushedStatusJson(repository: RepositoryState, status: BuildStatus): JsonObject {
  return { ...statusResourceJson(repository, status), commit: statusCommitJson(repository, status.commit) };
}

/** `GET …/commit/{commit}/statuses/build/{key}`. */
export function statusResourceJson(repository: RepositoryState, status: BuildStatus): JsonObject {
  const commit = `${repositoryUrl(repository)}/commit/${status.commit.hash}`;
  return {
    key: status.key,
    type: "build",
    state: status.state,
    name: status.name,
    refname: status.refname,
    commit: commitReferenceJson(repository, status.commit.hash),
    url: status.url,
    repository: repositoryReferenceJson(repository),
    description: status.description,
    created_on: toMicrosecondsText(status.createdOn),
    updated_on: toMicrosecondsText(status.updatedOn),
    links: {
      self: href(`${commit}/statuses/build/${encodeURIComponent(status.key)}`),
      commit: href(commit),
    },
  };
}
