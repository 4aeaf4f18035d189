import type { IgnoreDecision } from "./decide.ts";
import { ignore } from "./ignore.ts";

/** What to do when the changed files cannot be known (rule 17). */
export type OnUnknownFiles = "run" | "hold" | "skip";

/** What can be run: a stack or a module, as far as a decision needs it. */
export interface Target {
  readonly id: string;
  readonly kind: "stack" | "module";
  readonly name: string;
  /** `detached`: its integration was deleted (rule 5). `disabled`: switched off by an operator. */
  readonly state: "active" | "detached" | "disabled";
  /** Of a disabled one: it is its integration that is switched off. Default: false. */
  readonly isIntegrationDisabled?: boolean;
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

/** Whether files must be listed to know if they concern the target: an empty root holds every file (rules 16, 19). */
export function needsChangedFiles(target: Pick<Target, "projectRoot">): boolean {
  return trimSlashes(target.projectRoot) !== "";
}

/** Why nothing runs for a target, whatever happened (rule 5); null: it is active. */
export function refuseTarget({
  state,
  isIntegrationDisabled = false,
}: Pick<Target, "state" | "isIntegrationDisabled">): IgnoreDecision | null {
  if (state === "detached") return ignore("integration_detached", {});
  if (state !== "disabled") return null;
  return ignore("target_disabled", isIntegrationDisabled ? { disabled: "integration" } : {});
}

/** A path without leading and trailing slashes (rule 18). */
export function trimSlashes(path: string): string {
  // Most have none, and are asked about once for each target of a push.
  return path.startsWith("/") || path.endsWith("/") ? path.replace(/^\/+|\/+$/g, "") : path;
}
