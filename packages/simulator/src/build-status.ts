/** The state of a build on a commit. */
import type { Commit } from "./commit.ts";
import type { Instant } from "./seeded-source.ts";
import type { RepositoryState } from "./repository-state.ts";

/** Bitbucket's four states. */
export const BUILD_STATES = ["INPROGRESS", "SUCCESSFUL", "FAILED", "STOPPED"] as const;
export type BuildState = (typeof BUILD_STATES)[number];
/** Longest key, in characters; longer ones are answered with 400. */
export const MAX_STATUS_KEY_LENGTH = 40;

export interface BuildStatus {
  readonly commit: Commit;
  readonly key: string;
  readonly state: BuildState;
  readonly name: string;
  readonly url: string;
  readonly description: string;
  /** The branch of the pull request that the status belongs to. */
  readonly refname: string | null;
  readonly createdOn: Instant;
  readonly updatedOn: Instant;
}

export type BuildStatusInput = Omit<BuildStatus, "commit" | "createdOn" | "updatedOn">;

/** The status with this key, or null. */
export function findStatus(repository: RepositoryState, commit: Commit, key: string): BuildStatus | null {
  return repository.statuses.find((status) => status.commit === commit && status.key === key) ?? null;
}

/** Reports a status: one with the same key is overwritten, and keeps its `createdOn`. */
export function putStatus(
  repository: RepositoryState,
  commit: Commit,
  input: BuildStatusInput & { readonly now: Instant },
): { readonly status: BuildStatus; readonly isNew: boolean } {
  const { now, ...fields } = input;
  const before = findStatus(repository, commit, input.key);
  const status: BuildStatus = { ...fields, commit, createdOn: before?.createdOn ?? now, updatedOn: now };
  if (before === null) repository.statuses.push(status);
  else repository.statuses[repository.statuses.indexOf(before)] = status;
  repository.statusHistory.push(status);
  return { status, isNew: before === null };
}
