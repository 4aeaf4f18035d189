/** Branches and tags, in pushes and in the REST API. */
import type { Commit } from "./commit.ts";
import { branchTargetJson, commitTargetJson } from "./commit-json.ts";
import type { JsonObject } from "./json.ts";
import { href } from "./links.ts";
import type { RefChange, RefSnapshot } from "./push.ts";
import { repositoryPage, repositoryUrl } from "./repository-json.ts";
import type { RepositoryState, Tag } from "./repository-state.ts";
import { toSecondsText } from "./seeded-source.ts";

const STRATEGIES = {
  merge_strategies: [
    "merge_commit",
    "squash",
    "fast_forward",
    "squash_fast_forward",
    "rebase_fast_forward",
    "rebase_merge",
  ],
  sync_strategies: ["merge_commit", "rebase"],
  default_merge_strategy: "merge_commit",
} as const;

/** `old` or `new` of a change. */
export function refSnapshotJson(
  repository: RepositoryState,
  change: RefChange,
  snapshot: RefSnapshot,
): JsonObject {
  const target = commitTargetJson(repository, snapshot.commit);
  return snapshot.tag === null
    ? { ...branchJson(repository, change.name, target), ...STRATEGIES }
    : tagJson(repository, snapshot.tag, target);
}

/** `GET …/refs/branches/{name}`. */
export function branchResourceJson(repository: RepositoryState, name: string, head: Commit): JsonObject {
  return { ...branchJson(repository, name, branchTargetJson(repository, head)), ...STRATEGIES };
}

function branchJson(repository: RepositoryState, name: string, target: JsonObject): JsonObject {
  const page = repositoryPage(repository);
  return {
    name,
    target,
    links: {
      self: href(`${repositoryUrl(repository)}/refs/branches/${name}`),
      commits: href(`${repositoryUrl(repository)}/commits/${name}`),
      html: href(`${page}/branch/${name}`),
      pullrequest_create: href(`${page}/pull-requests/new?source=${name}&t=1`),
    },
    type: "branch",
  };
}

/** Annotated tags have `tagger: {}`, lightweight ones three nulls; both point at the commit. */
function tagJson(repository: RepositoryState, tag: Tag, target: JsonObject): JsonObject {
  return {
    name: tag.name,
    type: "tag",
    message: tag.annotation?.message ?? null,
    date: tag.annotation === null ? null : toSecondsText(tag.annotation.date),
    tagger: tag.annotation === null ? null : {},
    target,
    links: {
      self: href(`${repositoryUrl(repository)}/refs/tags/${tag.name}`),
      commits: href(`${repositoryUrl(repository)}/commits/${tag.name}`),
      html: href(`${repositoryPage(repository)}/commits/tag/${tag.name}`),
    },
  };
}
