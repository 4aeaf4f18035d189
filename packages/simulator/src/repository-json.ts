/** A repository in its three widths: reference, top level of a webhook, REST resource. */
import { accountJson } from "./account.ts";
import type { JsonObject } from "./json.ts";
import { API, href, SITE } from "./links.ts";
import { fullName, ownerOf, type RepositoryState } from "./repository-state.ts";
import { toMicrosecondsText } from "./seeded-source.ts";
import { projectJson, workspaceJson } from "./workspace.ts";

/** Five fields: what pull requests, commits, hooks and statuses hold. Never a workspace or a project. */
export function repositoryReferenceJson(repository: RepositoryState): JsonObject {
  return {
    type: "repository",
    full_name: fullName(repository),
    links: linksJson(repository),
    name: repository.name,
    uuid: repository.uuid,
  };
}

/** The top level `repository` of every webhook. */
export function repositoryJson(repository: RepositoryState): JsonObject {
  return {
    type: "repository",
    full_name: fullName(repository),
    links: linksJson(repository),
    name: repository.name,
    scm: "git",
    website: null,
    owner: accountJson(ownerOf(repository)),
    workspace: workspaceJson(repository.workspace),
    is_private: repository.isPrivate,
    project: projectJson(repository.workspace),
    uuid: repository.uuid,
    parent: repository.parent === null ? null : repositoryReferenceJson(repository.parent),
  };
}

/** `GET /2.0/repositories/{workspace}/{repo_slug}`: the only one with a `slug`. */
export function repositoryResourceJson(repository: RepositoryState): JsonObject {
  const self = repositoryUrl(repository);
  const path = fullName(repository);
  const link = (name: string): JsonObject => href(`${self}/${name}`);
  return {
    ...repositoryJson(repository),
    links: {
      ...linksJson(repository),
      watchers: link("watchers"),
      branches: link("refs/branches"),
      tags: link("refs/tags"),
      commits: link("commits"),
      source: link("src"),
      hooks: link("hooks"),
      forks: link("forks"),
      downloads: link("downloads"),
      pullrequests: link("pullrequests"),
      clone: [
        { href: `https://bitbucket.org/${path}.git`, name: "https" },
        { href: `git@bitbucket.org:${path}.git`, name: "ssh" },
      ],
    },
    slug: repository.slug,
    description: "",
    fork_policy: "allow_forks",
    language: "",
    has_issues: false,
    has_wiki: false,
    size: repository.commits.size,
    created_on: toMicrosecondsText(repository.createdOn),
    updated_on: toMicrosecondsText(repository.createdOn),
    mainbranch: { type: "branch", name: repository.mainBranch },
    override_settings: { default_merge_strategy: false, branching_model: false },
    enforced_signed_commits: null,
  };
}

/** The repository's address in the API. */
export function repositoryUrl(repository: RepositoryState): string {
  return `${API}/repositories/${fullName(repository)}`;
}

/** The repository's page. */
export function repositoryPage(repository: RepositoryState): string {
  return `${SITE}/${fullName(repository)}`;
}

function linksJson(repository: RepositoryState): JsonObject {
  return {
    self: href(repositoryUrl(repository)),
    html: href(repositoryPage(repository)),
    avatar: href(`https://bytebucket.org/ravatar/${encodeURIComponent(repository.uuid)}?ts=default`),
  };
}
