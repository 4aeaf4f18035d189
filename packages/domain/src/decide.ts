import { assertNever } from "./assert-never.ts";
import type { ChangedFiles } from "./changed-files.ts";
import type { Event, PushEvent } from "./event.ts";
import { matchPaths, type PathMatch } from "./path-match.ts";
import type { Reason } from "./reason.ts";
import { needsChangedFiles, type OnUnknownFiles, type Target } from "./target.ts";

export type RunType = "tracked" | "proposed";

/** As many matching files as evidence keeps; the full number is kept beside them. */
export const MAX_EVIDENCE_FILES = 50;

/** What a person reads to understand a decision: only the fields that played a part are there. */
export interface Evidence {
  readonly files?: {
    readonly known: boolean;
    readonly matched: readonly PathMatch[];
    readonly total: number;
    readonly compared?: string;
    readonly because?: string;
  };
  readonly ref?: { readonly kind: string; readonly name: string };
  readonly trackedBranch?: string;
  readonly eventKey?: string;
  /** The trigger that the event would have repeated. */
  readonly duplicateOf?: { readonly triggerId: string };
  /** The tracked trigger of a newer commit that was handed out before this one came. */
  readonly overtakenBy?: { readonly triggerId: string };
  readonly onUnknownFiles?: OnUnknownFiles;
  /** How many runs the event would have triggered, and how many it may (rule 30). */
  readonly runLimit?: { readonly triggers: number; readonly limit: number };
  /** Who settled a held decision (rule 17). */
  readonly resolvedBy?: string;
}

/** What one event means for one target, before the state of its earlier triggers is looked at. */
export type Decision =
  | {
      readonly outcome: "trigger";
      readonly runType: RunType;
      readonly reason: "triggered";
      readonly evidence: Evidence;
    }
  | {
      readonly outcome: "hold";
      readonly runType: RunType;
      readonly reason: "held";
      readonly evidence: Evidence;
    }
  | {
      readonly outcome: "ignore";
      readonly reason: Exclude<Reason, "triggered" | "held">;
      readonly evidence: Evidence;
    };

type Affected =
  | { readonly kind: "yes"; readonly files: Evidence["files"] | undefined }
  | { readonly kind: "no"; readonly files: Evidence["files"] }
  | { readonly kind: "unknown"; readonly because: string };

/** Why an event concerns no target at all; null when its targets have to be asked one by one. */
export function decideWithoutTargets(event: Event, targetCount: number): Decision | null {
  if (event.kind === "unsupported") {
    return ignore("unsupported_event", { eventKey: event.eventKey });
  }
  return targetCount === 0 ? ignore("no_target", {}) : null;
}

/**
 * The default policy for a push (rules 19, 20): ignore > track > propose. `files` is what is known of the changed files
 * as seen from this target; null for a target that does not need them.
 */
export function decide(input: {
  readonly event: PushEvent;
  readonly target: Target;
  readonly files: ChangedFiles | null;
  /** A sweep found the event, and it is the first head that a sweep saw of the branch for this target (rule 34). */
  readonly isBaseline?: boolean;
}): Decision {
  const { event, target, files, isBaseline = false } = input;
  const ref = { kind: event.refKind, name: event.refName };
  if (target.state === "detached") return ignore("integration_detached", {});
  if (target.state === "disabled") return ignore("target_disabled", {});
  if (event.refKind === "tag") return ignore("tag", { ref });
  if (event.refKind === "other") return ignore("unsupported_event", { ref });
  if (event.change === "deleted") return ignore("branch_deleted", { ref });
  if (isBaseline) return ignore("baseline", { ref, trackedBranch: target.trackedBranch });

  const runType: RunType = event.refName === target.trackedBranch ? "tracked" : "proposed";
  const evidence: Evidence = { ref, trackedBranch: target.trackedBranch };
  const affected = isAffected(target, files);
  switch (affected.kind) {
    case "yes":
      return {
        outcome: "trigger",
        runType,
        reason: "triggered",
        evidence: withFiles(evidence, affected.files),
      };
    case "no":
      return ignore("outside_project_root", withFiles(evidence, affected.files));
    case "unknown":
      return decideUnknown(target, runType, evidence, affected.because);
    default:
      return assertNever(affected);
  }
}

/** Whether `decide` would look at the changed files: if not, Bitbucket need not be asked for them (rule 16). */
export function decisionNeedsFiles(event: PushEvent, target: Target): boolean {
  return (
    target.state === "active" &&
    event.refKind === "branch" &&
    event.change !== "deleted" &&
    needsChangedFiles(target)
  );
}

function isAffected(target: Target, files: ChangedFiles | null): Affected {
  if (!needsChangedFiles(target)) return { kind: "yes", files: undefined };
  if (files === null) return { kind: "unknown", because: "the changed files were not asked for" };
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

/** "Everything is affected" would apply a whole monorepo, so a tracked run waits for a person (rule 17). */
function decideUnknown(target: Target, runType: RunType, evidence: Evidence, because: string): Decision {
  const choice = target.onUnknownFiles ?? (runType === "tracked" ? "hold" : "run");
  const files = { known: false, matched: [], total: 0, because };
  const known: Evidence = { ...evidence, files, onUnknownFiles: choice };
  switch (choice) {
    case "run":
      return { outcome: "trigger", runType, reason: "triggered", evidence: known };
    case "hold":
      return { outcome: "hold", runType, reason: "held", evidence: known };
    case "skip":
      return ignore("outside_project_root", known);
    default:
      return assertNever(choice);
  }
}

function withFiles(evidence: Evidence, files: Evidence["files"] | undefined): Evidence {
  return files === undefined ? evidence : { ...evidence, files };
}

function ignore(reason: Exclude<Reason, "triggered" | "held">, evidence: Evidence): Decision {
  return { outcome: "ignore", reason, evidence };
}
