import type { ChangedFiles } from "./changed-files.ts";
import { matchPaths, type PathMatch } from "./path-match.ts";
import { needsChangedFiles, type Target } from "./target.ts";

/** As many matching files as evidence keeps; the full number is kept beside them. */
export const MAX_EVIDENCE_FILES = 50;

/** What was found out about the changed files, as evidence keeps it. */
export interface FilesEvidence {
  /** False: they are not listed, for the reason in `because`, and `matched` being empty says nothing. */
  readonly known: boolean;
  /** The first `MAX_EVIDENCE_FILES` that concern the target. */
  readonly matched: readonly PathMatch[];
  /** How many concern it. */
  readonly total: number;
  /** What Bitbucket was asked to compare. */
  readonly compared?: string;
  readonly because?: string;
}

/** Whether changed files concern a target. `files` undefined: they did not have to be looked at. */
export type Affected =
  | { readonly kind: "yes"; readonly files: FilesEvidence | undefined }
  | { readonly kind: "no"; readonly files: FilesEvidence }
  | { readonly kind: "unknown"; readonly because: string };

/** Said of files that were not asked for. */
export const NOT_ASKED_FOR = "the changed files were not asked for";

/** Whether `files` concern the target (rule 19); null for those that were not asked for. An empty root holds every file. */
export function isAffected(
  target: Pick<Target, "projectRoot" | "projectGlobs">,
  files: ChangedFiles | null,
): Affected {
  if (!needsChangedFiles(target)) return { kind: "yes", files: undefined };
  if (files === null) return { kind: "unknown", because: NOT_ASKED_FOR };
  if (files.kind === "unknown") return { kind: "unknown", because: files.because };
  if (files.kind === "all") {
    // Not listed, so not known by name: a runner must not take an empty list for "nothing changed".
    return { kind: "yes", files: { known: false, matched: [], total: 0, because: files.because } };
  }
  const { matches, total } = matchPaths(target, files.paths, MAX_EVIDENCE_FILES);
  return {
    kind: total > 0 ? "yes" : "no",
    files: { known: true, matched: matches, total, compared: files.spec },
  };
}
