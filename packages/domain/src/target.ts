/** What to do when the changed files cannot be known (rule 17). */
export type OnUnknownFiles = "run" | "hold" | "skip";

/** What can be run: a stack or a module, as far as a decision needs it. */
export interface Target {
  readonly id: string;
  readonly kind: "stack" | "module";
  readonly name: string;
  /** `detached`: its integration was deleted (rule 5). `disabled`: switched off by an operator. */
  readonly state: "active" | "detached" | "disabled";
  readonly trackedBranch: string;
  /** Folder within the repository; empty: the whole repository. */
  readonly projectRoot: string;
  /** Further paths that concern the target, as doublestar globs (rule 18). */
  readonly projectGlobs: readonly string[];
  /** Null: a proposed run counts as affected, a tracked one is held. */
  readonly onUnknownFiles: OnUnknownFiles | null;
  /** Owners of forks whose pull requests may run (rule 21), as workspace slugs. */
  readonly allowedForkWorkspaces: readonly string[];
  /** Bitbucket account uuids that may deploy by comment (rule 24); empty: nobody. */
  readonly deployers: readonly string[];
  /** Where a module's version comes from: a tag, or a file at the commit (rule 31). Null for a stack. */
  readonly moduleVersionSource: "tag" | "file" | null;
}

/** Whether a decision for this target needs the list of changed files: an empty root holds every file (rules 16, 19). */
export function needsChangedFiles(target: Pick<Target, "projectRoot">): boolean {
  return trimSlashes(target.projectRoot) !== "";
}

/** A path without leading and trailing slashes (rule 18). */
export function trimSlashes(path: string): string {
  return path.replace(/^\/+|\/+$/g, "");
}
