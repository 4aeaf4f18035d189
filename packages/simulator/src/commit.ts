/** A commit with its whole file tree: enough of git for diffs, merges and ancestry. */
import { createHash } from "node:crypto";
import { rawAuthor, type Account } from "./account.ts";
import { SimulatorError } from "./simulator-error.ts";
import { toSecondsText, type Instant } from "./seeded-source.ts";

/** Path → content. Paths have no leading slash. */
export type FileTree = ReadonlyMap<string, string>;

export interface Commit {
  /** 40 hex digits. */
  readonly hash: string;
  readonly parents: readonly Commit[];
  /** Greater than that of every ancestor; this is what walks are ordered by. */
  readonly sequence: number;
  readonly tree: FileTree;
  readonly message: string;
  readonly date: Instant;
  readonly author: CommitAuthor;
}

export interface CommitAuthor {
  /** `Name <mail>`. */
  readonly raw: string;
  /** null when the mail belongs to no Bitbucket account: bodies then have no `author.user`. */
  readonly account: Account | null;
}

/** What a commit changes: path → new content, or null to delete it. */
export type FileChanges = Readonly<Record<string, string | null>>;

/** A commit to make. */
export interface CommitInput {
  readonly files?: FileChanges;
  /** Old path → new path, applied before `files`. */
  readonly moves?: Readonly<Record<string, string>>;
  readonly message?: string;
  /** An account, or `Name <mail>` of somebody who has none. */
  readonly author?: Account | string;
  /** For tests that need hashes of a known beginning; everybody else lets it be computed. */
  readonly hash?: string;
}

interface CommitContext {
  readonly parents: readonly Commit[];
  readonly tree: FileTree;
  readonly author: CommitAuthor;
  readonly message: string;
  readonly date: Instant;
  readonly sequence: number;
  readonly hash?: string;
}

/** A commit whose hash covers its parents, author, date, message and what it changed, as git's does. */
export function createCommit(context: CommitContext): Commit {
  return { ...context, hash: context.hash ?? computeHash(context) };
}

/** An author from an account or from `Name <mail>`. */
export function toCommitAuthor(author: Account | string): CommitAuthor {
  return typeof author === "string"
    ? { raw: author, account: null }
    : { raw: rawAuthor(author), account: author };
}

/** The tree after the changes. @throws SimulatorError unknown_ref when a path to move or delete is not there. */
export function applyChanges(tree: FileTree, input: Pick<CommitInput, "files" | "moves">): FileTree {
  const next = new Map(tree);
  for (const [from, to] of Object.entries(input.moves ?? {})) {
    next.set(to, takeFile(next, from));
  }
  for (const [path, content] of Object.entries(input.files ?? {})) {
    if (content === null) takeFile(next, path);
    else next.set(path, content);
  }
  return next;
}

function takeFile(tree: Map<string, string>, path: string): string {
  const content = tree.get(path);
  if (content === undefined) {
    throw new SimulatorError("unknown_ref", `there is no file ${path} to move or delete`);
  }
  tree.delete(path);
  return content;
}

function computeHash(context: CommitContext): string {
  const hash = createHash("sha1");
  for (const parent of context.parents) hash.update(`parent ${parent.hash}\n`);
  hash.update(`author ${context.author.raw} ${toSecondsText(context.date)} ${context.sequence}\n`);
  const before = context.parents[0]?.tree;
  for (const [path, content] of context.tree) {
    if (before?.get(path) !== content) hash.update(`${path}\0${content}\0`);
  }
  return hash.update(context.message).digest("hex");
}
