/** A stack or a module as people write it, in a file or in a request, and what that means. */
import { type Target, trimSlashes } from "./target.ts";

/** What is written; what is left out has its default. The values were checked before (target-values.ts). */
export interface TargetEntry {
  readonly name: string;
  readonly external_id?: string | undefined;
  readonly repository: string;
  readonly tracked_branch: string;
  readonly project_root?: string | undefined;
  readonly project_globs?: readonly string[] | undefined;
  readonly labels?: readonly string[] | undefined;
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
  readonly on_unknown_files?: NonNullable<Target["onUnknownFiles"]> | undefined;
  readonly allowed_fork_workspaces?: readonly string[] | undefined;
  readonly deployers?: readonly string[] | undefined;
  readonly coalesce?: boolean | undefined;
  readonly enabled?: boolean | undefined;
}

/** What it means. */
export interface TargetSettings extends Pick<
  Target,
  | "name"
  | "trackedBranch"
  | "projectRoot"
  | "projectGlobs"
  | "onUnknownFiles"
  | "allowedForkWorkspaces"
  | "deployers"
> {
  /** `workspace/slug`. */
  readonly repository: string;
  /** The scheduler's own name for it; null when it has none. */
  readonly externalId: string | null;
  readonly labels: readonly string[];
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly coalesce: boolean;
  readonly enabled: boolean;
}

/** Where the version of a module comes from, unless it says another place (rule 31). */
export const DEFAULT_VERSION_FROM = "file";

/** What an entry means, defaults filled in, in the spelling that is stored: no slashes around paths, uuids in braces. */
export function readTargetEntry(entry: TargetEntry): TargetSettings {
  return {
    name: entry.name,
    repository: entry.repository,
    trackedBranch: entry.tracked_branch,
    projectRoot: trimSlashes(entry.project_root ?? ""),
    projectGlobs: (entry.project_globs ?? []).map(trimSlashes),
    labels: entry.labels ?? [],
    externalId: entry.external_id ?? null,
    metadata: entry.metadata ?? {},
    onUnknownFiles: entry.on_unknown_files ?? null,
    allowedForkWorkspaces: (entry.allowed_fork_workspaces ?? []).map((workspace) => workspace.toLowerCase()),
    deployers: (entry.deployers ?? []).map((uuid) => `{${uuid.replace(/[{}]/g, "").toLowerCase()}}`),
    coalesce: entry.coalesce ?? false,
    enabled: entry.enabled ?? true,
  };
}
