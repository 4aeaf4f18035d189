/** What a repository is at a moment: commits, refs, pull requests, hooks, statuses. Changed only by this package. */
import type { Account } from "./account.ts";
import type { BuildStatus } from "./build-status.ts";
import type { Commit } from "./commit.ts";
import type { Hook } from "./hook.ts";
import type { PullRequestState } from "./pull-request-state.ts";
import type { Instant, SeededSource } from "./seeded-source.ts";
import { SimulatorError } from "./simulator-error.ts";
import type { Workspace } from "./workspace.ts";

/** Bitbucket's API takes seven digits or more as a hash. */
const SHORT_HASH = /^[0-9a-f]{7,40}$/;

export interface Tag {
  readonly name: string;
  readonly commit: Commit;
  /** null for a lightweight tag. */
  readonly annotation: { readonly message: string; readonly date: Instant } | null;
}

/** Whether "Pull Request Commit Links" answers for the repository. `absent` = the app was never installed. */
export type CommitLinks = "installed" | "indexing" | "absent";

export interface RepositoryState {
  readonly uuid: string;
  readonly createdOn: Instant;
  /** The repository that this is a fork of. */
  readonly parent: RepositoryState | null;
  workspace: Workspace;
  slug: string;
  /** For people; need not resemble the slug. */
  name: string;
  isPrivate: boolean;
  isDeleted: boolean;
  mainBranch: string;
  commitLinks: CommitLinks;
  readonly commits: Map<string, Commit>;
  readonly branches: Map<string, Commit>;
  readonly tags: Map<string, Tag>;
  /** Those that go into this repository; the one with number n is at n - 1. */
  readonly pullRequests: PullRequestState[];
  /** Open ones, of any repository, that come from a branch of this one. */
  readonly outgoing: Set<PullRequestState>;
  readonly hooks: Map<string, Hook>;
  /** The present state of every (commit, key). */
  readonly statuses: BuildStatus[];
  /** Every state that was ever reported, in the order of arrival. */
  readonly statusHistory: BuildStatus[];
}

/** An empty repository, or a fork: a copy of `parent`'s commits and refs. */
export function createRepositoryState(
  source: SeededSource,
  input: Pick<
    RepositoryState,
    "uuid" | "workspace" | "slug" | "name" | "isPrivate" | "mainBranch" | "parent"
  >,
): RepositoryState {
  return {
    ...input,
    createdOn: source.now(),
    isDeleted: false,
    commitLinks: "installed",
    commits: new Map(input.parent?.commits),
    branches: new Map(input.parent?.branches),
    tags: new Map(input.parent?.tags),
    pullRequests: [],
    outgoing: new Set(),
    hooks: new Map(),
    statuses: [],
    statusHistory: [],
  };
}

/** `workspace/slug`. */
export function fullName(repository: RepositoryState): string {
  return `${repository.workspace.slug}/${repository.slug}`;
}

/** Who acts when a caller names nobody. */
export function ownerOf(repository: RepositoryState): Account {
  return repository.workspace.owner;
}

export type RevisionLookup =
  | { readonly kind: "found"; readonly commit: Commit }
  | { readonly kind: "unknown" }
  | { readonly kind: "ambiguous"; readonly candidates: readonly Commit[] };

/** A branch, a tag, or a hash of 7 to 40 digits. */
export function lookUpRevision(repository: RepositoryState, revision: string): RevisionLookup {
  const named = repository.branches.get(revision) ?? repository.tags.get(revision)?.commit;
  return named === undefined ? lookUpHash(repository, revision) : { kind: "found", commit: named };
}

/** A hash of 7 to 40 digits. */
export function lookUpHash(repository: RepositoryState, hash: string): RevisionLookup {
  const exact = repository.commits.get(hash);
  if (exact !== undefined) return { kind: "found", commit: exact };
  if (!SHORT_HASH.test(hash)) return { kind: "unknown" };
  const candidates = [...repository.commits.values()].filter((commit) => commit.hash.startsWith(hash));
  const [commit] = candidates;
  if (commit === undefined) return { kind: "unknown" };
  return candidates.length === 1 ? { kind: "found", commit } : { kind: "ambiguous", candidates };
}

/** The commit of a branch, tag or hash. @throws SimulatorError unknown_revision */
export function requireCommit(repository: RepositoryState, revision: string): Commit {
  const found = lookUpRevision(repository, revision);
  if (found.kind === "found") return found.commit;
  throw new SimulatorError("unknown_revision", `${fullName(repository)} has no single commit ${revision}`);
}

/** Adds a commit and those of its ancestors that are not there yet. */
export function addCommit(repository: RepositoryState, commit: Commit): void {
  const open = [commit];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (repository.commits.has(next.hash)) continue;
    repository.commits.set(next.hash, next);
    open.push(...next.parents);
  }
}

/** Forgets what no branch, tag or open pull request reaches, as Bitbucket does some time after a force push. */
export function collectGarbage(repository: RepositoryState): void {
  const kept = [...repository.branches.values(), ...[...repository.tags.values()].map((tag) => tag.commit)];
  for (const pull of repository.outgoing) kept.push(pull.sourceCommit);
  repository.commits.clear();
  for (const commit of kept) addCommit(repository, commit);
}
