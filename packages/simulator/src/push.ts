/** A push: one or more refs moved at once, by git's rules. */
import {
  ownerOf,
  addCommit,
  requireCommit,
  fullName,
  type RepositoryState,
  type Tag,
} from "./repository-state.ts";
import type { Account } from "./account.ts";
import { applyChanges, createCommit, toCommitAuthor, type Commit, type CommitInput } from "./commit.ts";
import { isAncestor, listCommits } from "./commit-graph.ts";
import type { SeededSource } from "./seeded-source.ts";
import { SimulatorError } from "./simulator-error.ts";

/** Commits that a push body lists at most; `truncated` says that there were more (BCLOUD-18855). */
const MAX_LISTED_COMMITS = 5;

/** Moves a branch, which is made when it is not there. Without `files`, `moves` and `commits` no commit is made. */
export interface BranchUpdate extends CommitInput {
  /** Default: the main branch. */
  readonly branch?: string;
  /** Several commits instead of one, oldest first. */
  readonly commits?: readonly CommitInput[];
  /**
   * The branch, tag or hash to build on. Default: the branch's own head (with `force`: the parent of its head, which
   * amends the head); for a new branch, the head of the main branch.
   */
  readonly from?: string;
  /** Permits an update after which the old head is no longer part of the branch. */
  readonly force?: boolean;
}

export interface TagUpdate {
  readonly tag: string;
  /** Default: the head of the main branch. */
  readonly target?: string;
  /** Given = an annotated tag. */
  readonly annotation?: string;
  /** Permits a tag that is there already to be moved. */
  readonly force?: boolean;
}

export type RefUpdate =
  BranchUpdate | TagUpdate | { readonly deleteBranch: string } | { readonly deleteTag: string };

/** A ref at one end of a change. `tag` is null for branches. */
export interface RefSnapshot {
  readonly commit: Commit;
  readonly tag: Tag | null;
}

/** One entry of `push.changes`. */
export interface RefChange {
  readonly refKind: "branch" | "tag";
  readonly name: string;
  readonly old: RefSnapshot | null;
  readonly new: RefSnapshot | null;
  readonly isForced: boolean;
  /** Newest first, at most five; empty for tags and for deleted refs. */
  readonly commits: readonly Commit[];
  readonly isTruncated: boolean;
}

/**
 * Moves one ref and says what changed.
 * @throws SimulatorError push_rejected for a non-fast-forward without `force`; unknown_ref, unknown_revision
 */
export function applyRefUpdate(
  repository: RepositoryState,
  update: RefUpdate,
  context: { readonly source: SeededSource; readonly by: Account | null },
): RefChange {
  if ("deleteBranch" in update) return deleteBranch(repository, update.deleteBranch);
  if ("deleteTag" in update) return deleteTag(repository, update.deleteTag);
  if ("tag" in update) return moveTag(repository, update, context.source);
  return moveBranch(repository, update, context);
}

/** The change that a branch's way from `old` to `head` is, once the branch points there. */
export function describeBranchChange(name: string, old: Commit | null, head: Commit): RefChange {
  const isForced = old !== null && !isAncestor(old, head);
  // A new branch and a forced one list their history from the top, whether those commits are new or not.
  const excluded = isForced ? null : old;
  const commits = listCommits(head, { excluded, limit: MAX_LISTED_COMMITS + 1 });
  return {
    refKind: "branch",
    name,
    old: old === null ? null : { commit: old, tag: null },
    new: { commit: head, tag: null },
    isForced,
    commits: commits.slice(0, MAX_LISTED_COMMITS),
    isTruncated: commits.length > MAX_LISTED_COMMITS,
  };
}

/** Removes a branch. @throws SimulatorError unknown_ref */
export function deleteBranch(repository: RepositoryState, name: string): RefChange {
  const commit = repository.branches.get(name);
  if (commit === undefined) throw unknownRef(repository, name);
  repository.branches.delete(name);
  return deletion("branch", name, { commit, tag: null });
}

function deleteTag(repository: RepositoryState, name: string): RefChange {
  const tag = repository.tags.get(name);
  if (tag === undefined) throw unknownRef(repository, name);
  repository.tags.delete(name);
  return deletion("tag", name, { commit: tag.commit, tag });
}

function moveTag(repository: RepositoryState, update: TagUpdate, source: SeededSource): RefChange {
  const before = repository.tags.get(update.tag);
  if (before !== undefined && update.force !== true) {
    throw new SimulatorError("push_rejected", `tag ${update.tag} is there already: pass force to move it`);
  }
  const commit = requireCommit(repository, update.target ?? repository.mainBranch);
  const annotation =
    update.annotation === undefined ? null : { message: withNewline(update.annotation), date: source.now() };
  const tag: Tag = { name: update.tag, commit, annotation };
  repository.tags.set(update.tag, tag);
  return {
    refKind: "tag",
    name: update.tag,
    old: before === undefined ? null : { commit: before.commit, tag: before },
    new: { commit, tag },
    isForced: before !== undefined && !isAncestor(before.commit, commit),
    commits: [],
    isTruncated: false,
  };
}

function moveBranch(
  repository: RepositoryState,
  update: BranchUpdate,
  context: { readonly source: SeededSource; readonly by: Account | null },
): RefChange {
  const name = update.branch ?? repository.mainBranch;
  const old = repository.branches.get(name) ?? null;
  let head = startingPoint(repository, update, old);
  const hasOwnCommit =
    update.files !== undefined || update.moves !== undefined || update.message !== undefined;
  for (const input of update.commits ?? (hasOwnCommit ? [update] : [])) {
    head = commitOnto(head, input, { source: context.source, author: context.by ?? ownerOf(repository) });
  }
  if (head === null) throw unknownRef(repository, name);
  if (head === old) throw new SimulatorError("push_rejected", `${name} is up to date: nothing to push`);
  const change = describeBranchChange(name, old, head);
  if (change.isForced && update.force !== true) {
    throw new SimulatorError("push_rejected", `${name} would lose commits (non-fast-forward): pass force`);
  }
  addCommit(repository, head);
  repository.branches.set(name, head);
  return change;
}

function startingPoint(repository: RepositoryState, update: BranchUpdate, old: Commit | null): Commit | null {
  if (update.from !== undefined) return requireCommit(repository, update.from);
  if (old === null) return repository.branches.get(repository.mainBranch) ?? null;
  return update.force === true ? (old.parents[0] ?? null) : old;
}

function commitOnto(
  parent: Commit | null,
  input: CommitInput,
  context: { readonly source: SeededSource; readonly author: Account },
): Commit {
  const { source } = context;
  return createCommit({
    parents: parent === null ? [] : [parent],
    tree: applyChanges(parent?.tree ?? new Map<string, string>(), input),
    author: toCommitAuthor(input.author ?? context.author),
    message: withNewline(input.message ?? defaultMessage(input)),
    date: source.now(),
    sequence: source.nextNumber(),
    ...(input.hash === undefined ? {} : { hash: input.hash }),
  });
}

function defaultMessage(input: CommitInput): string {
  const paths = [...Object.keys(input.moves ?? {}), ...Object.keys(input.files ?? {})];
  return paths.length === 0 ? "Empty commit" : `Change ${paths.slice(0, 3).join(", ")}`;
}

function withNewline(text: string): string {
  return text.endsWith("\n") ? text : `${text}\n`;
}

function deletion(refKind: RefChange["refKind"], name: string, old: RefSnapshot): RefChange {
  return { refKind, name, old, new: null, isForced: false, commits: [], isTruncated: false };
}

function unknownRef(repository: RepositoryState, name: string): SimulatorError {
  return new SimulatorError("unknown_ref", `${fullName(repository)} has no ${name}`);
}
