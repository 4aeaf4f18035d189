/** What becomes different of a stored target. Pure. */
import { isDeepStrictEqual } from "node:util";

import type { StoredTarget } from "./declared-state.ts";

/** What a target is to be. */
export type TargetState = Omit<
  StoredTarget,
  "id" | "repositoryIsSeen" | "repositoryIsLatest" | "integration"
> & { readonly integration: string };

/** A field whose value changes, by the name that files and the API have for it. */
export interface TargetChange {
  readonly field: string;
  readonly from: unknown;
  readonly to: unknown;
}

/** What `wanted` changes of a target that is stored. */
export function listTargetChanges(wanted: TargetState, was: StoredTarget): TargetChange[] {
  const isSameName = wanted.repository.toLowerCase() === was.repository.toLowerCase();
  const sameName = was.repositoryIsLatest ? was.repository : `${was.repository} (made again)`;
  const fields: readonly TargetChange[] = [
    { field: "integration", from: was.integration, to: wanted.integration },
    { field: "repository", from: was.repository, to: isSameName ? sameName : wanted.repository },
    { field: "tracked_branch", from: was.trackedBranch, to: wanted.trackedBranch },
    { field: "project_root", from: was.projectRoot, to: wanted.projectRoot },
    { field: "project_globs", from: was.projectGlobs, to: wanted.projectGlobs },
    { field: "labels", from: was.labels, to: wanted.labels },
    { field: "external_id", from: was.externalId, to: wanted.externalId },
    { field: "metadata", from: was.metadata, to: wanted.metadata },
    { field: "on_unknown_files", from: was.onUnknownFiles, to: wanted.onUnknownFiles },
    {
      field: "allowed_fork_workspaces",
      from: was.allowedForkWorkspaces,
      to: wanted.allowedForkWorkspaces,
    },
    { field: "deployers", from: was.deployers, to: wanted.deployers },
    { field: "coalesce", from: was.coalesce, to: wanted.coalesce },
    { field: "version_from", from: was.moduleVersionSource, to: wanted.moduleVersionSource },
    { field: "enabled", from: was.enabled, to: wanted.enabled },
  ];
  return fields.filter(({ from, to }) => !isDeepStrictEqual(from, to));
}
