import { isAffected, type FilesEvidence } from "./affected.ts";
import { assertNever } from "./assert-never.ts";
import type { ChangedFiles } from "./changed-files.ts";
import type { Event, PullRequestAction, PushEvent } from "./event.ts";
import { versionOfTag } from "./module-version.ts";
import type { Reason } from "./reason.ts";
import { needsChangedFiles, type OnUnknownFiles, type Target } from "./target.ts";

export type RunType = "tracked" | "proposed";

/** What a person reads to understand a decision: only the fields that played a part are there. */
export interface Evidence {
  readonly files?: FilesEvidence;
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
  /** The pull request that the event told of. */
  readonly pullRequest?: {
    readonly number: number;
    readonly action: PullRequestAction;
    /** What is stored, where that made the event `closed`. */
    readonly state?: string;
    /** The stored head, where that made the event `stale`. */
    readonly head?: string;
  };
  /** The fork that the pull request comes from; `fullName` null: Bitbucket names none, because it is gone. */
  readonly fork?: { readonly fullName: string | null };
  /** The commit that the pull request was merged as. */
  readonly mergeSha?: string;
  /** The command of a comment. `because`: why it was refused or did nothing, as a clause without a full stop. */
  readonly command?: { readonly text: string; readonly because?: string };
  /**
   * A module's version that was refused, and its last (null: it has none). `version` null: none can be read, for the reason
   * in `because`, a clause without a full stop.
   */
  readonly moduleVersion?: {
    readonly version: string | null;
    readonly last: string | null;
    readonly because?: string;
  };
}

/** Nothing is to run. */
export interface IgnoreDecision {
  readonly outcome: "ignore";
  readonly reason: Exclude<Reason, "triggered" | "held">;
  readonly evidence: Evidence;
}

/** What one event means for one target, before the state of its earlier triggers is looked at. */
export type Decision =
  | {
      readonly outcome: "trigger";
      readonly runType: RunType;
      readonly reason: "triggered";
      readonly evidence: Evidence;
      /** Of a module's tracked run: the version that it releases (rule 31). */
      readonly moduleVersion?: string;
    }
  | {
      readonly outcome: "hold";
      readonly runType: RunType;
      readonly reason: "held";
      readonly evidence: Evidence;
    }
  | IgnoreDecision;

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
  if (event.refKind === "tag") return decideTag(event, target);
  if (event.refKind === "other") return ignore("unsupported_event", { ref });
  if (event.change === "deleted") return ignore("branch_deleted", { ref });
  if (isBaseline) return ignore("baseline", { ref, trackedBranch: target.trackedBranch });

  // What is released by tags has no version before it has one.
  const isTracked = event.refName === target.trackedBranch && target.moduleVersionSource !== "tag";
  const runType: RunType = isTracked ? "tracked" : "proposed";
  const evidence: Evidence = { ref, trackedBranch: target.trackedBranch };
  return decideByFiles({ target, files, runType, evidence });
}

/** Tags run nothing (rule 20), but for a module that is released by them: each version is a tracked run (rule 31). */
function decideTag({ refKind, refName, change }: PushEvent, target: Target): Decision {
  const evidence: Evidence = { ref: { kind: refKind, name: refName } };
  const isRelease = target.moduleVersionSource === "tag" && change !== "deleted";
  const moduleVersion = isRelease ? versionOfTag(refName) : null;
  if (moduleVersion === null) return ignore("tag", evidence);
  return { outcome: "trigger", runType: "tracked", reason: "triggered", evidence, moduleVersion };
}

/** Whether the run that `decide` would make needs a version, which a file at the commit has (rule 31). */
export function decisionNeedsVersion(event: PushEvent, target: Target): boolean {
  return (
    target.state === "active" &&
    target.kind === "module" &&
    target.moduleVersionSource !== "tag" &&
    event.refKind === "branch" &&
    event.change !== "deleted" &&
    event.refName === target.trackedBranch
  );
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

/** The part of every decision that the changed files settle (rules 17, 19): run it, leave it, or wait for a person. */
export function decideByFiles(input: {
  readonly target: Target;
  readonly files: ChangedFiles | null;
  readonly runType: RunType;
  /** What is known so far. */
  readonly evidence: Evidence;
}): Decision {
  const { target, files, runType, evidence } = input;
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

/** A decision that nothing is to run, and why. */
export function ignore(reason: IgnoreDecision["reason"], evidence: Evidence): IgnoreDecision {
  return { outcome: "ignore", reason, evidence };
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

function withFiles(evidence: Evidence, files: FilesEvidence | undefined): Evidence {
  return files === undefined ? evidence : { ...evidence, files };
}
