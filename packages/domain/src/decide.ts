import { isAffected, type FilesEvidence } from "./affected.ts";
import { assertNever } from "./assert-never.ts";
import type { ChangedFiles } from "./changed-files.ts";
import type { CommandFacts } from "./comment-command-decision.ts";
import { guard, type GuardContext, type OpenQuestion } from "./decide-guard.ts";
import type { MergePush } from "./decide-merge.ts";
import type { EventContext } from "./decision-input-event.ts";
import type { Event, PullRequestAction, PushEvent } from "./event.ts";
import { ignore } from "./ignore.ts";
import { defaultPolicy } from "./policy-default.ts";
import { toPolicyInput } from "./policy-input.ts";
import type { PolicyAnswer } from "./policy.ts";
import type { Reason } from "./reason.ts";
import { needsChangedFiles, type OnUnknownFiles, type Target } from "./target.ts";

export type RunType = "tracked" | "proposed";

/** What a person reads to understand a decision: only the fields that played a part are there. */
export interface Evidence {
  readonly files?: FilesEvidence;
  readonly ref?: { readonly kind: string; readonly name: string };
  readonly trackedBranch?: string;
  readonly eventKey?: string;
  /** What is switched off, where that is not the target itself. */
  readonly disabled?: "integration";
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

/** What an event does not say itself of what it means for a target. */
export interface DecideContext extends EventContext {
  /** A sweep found the event, and it is the first head that a sweep saw for this target (rule 34). Default: false. */
  readonly isBaseline?: boolean;
  /** Of a comment that is a command, what is known of that; absent: the comment is none. */
  readonly command?: CommandFacts;
  /** Of a merge, what its push meant for the target; absent: none was told, or the target was not there then. */
  readonly mergePush?: MergePush;
}

/** Why an event concerns no target at all; null when its targets have to be asked one by one. */
export function decideWithoutTargets(event: Event, targetCount: number): Decision | null {
  if (event.kind === "unsupported") {
    return ignore("unsupported_event", { eventKey: event.eventKey });
  }
  return targetCount === 0 ? ignore("no_target", {}) : null;
}

/**
 * What an event means for a target: first by what is Sluice's own to say, which no policy overrules (`guard`), then by the
 * policy. `ask` asks it; it is called once, or not at all. Default: the default policy (rules 16 to 20).
 */
export function decide(
  event: Event,
  target: Target,
  context: DecideContext,
  ask?: () => PolicyAnswer,
): Decision {
  const guarded = guard(event, target, context);
  switch (guarded.kind) {
    case "decided":
      return guarded.decision;
    case "asked_for": {
      const evidence = withFiles(guarded.evidence, target, context.files);
      return { outcome: "trigger", runType: guarded.runType, reason: "triggered", evidence };
    }
    case "open": {
      const answer = ask?.() ?? defaultPolicy(toPolicyInput(guarded.event, target, context));
      return follow(answer, guarded);
    }
    default:
      return assertNever(guarded);
  }
}

const NOTHING_KNOWN: GuardContext = { pullRequest: null };

/** Whether `decide` would look at the changed files: if not, Bitbucket need not be asked for them (rule 16). */
export function decisionNeedsFiles(
  event: Event,
  target: Target,
  context: GuardContext = NOTHING_KNOWN,
): boolean {
  return needsChangedFiles(target) && guard(event, target, context).kind !== "decided";
}

/** Whether the run that the event would make needs a version, which a file at the commit has (rule 31). */
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

function follow(answer: PolicyAnswer, { evidence: known, isProposal = false }: OpenQuestion): Decision {
  const evidence = { ...known, ...answer.evidence };
  switch (answer.kind) {
    case "track": {
      const runType = isProposal ? "proposed" : "tracked";
      return { outcome: "trigger", runType, reason: "triggered", evidence };
    }
    case "propose":
      return { outcome: "trigger", runType: "proposed", reason: "triggered", evidence };
    case "hold": {
      const runType = isProposal ? "proposed" : answer.runType;
      return { outcome: "hold", runType, reason: "held", evidence };
    }
    case "ignore":
      return ignore(answer.reason, evidence);
    default:
      return assertNever(answer);
  }
}

/** What is known of the files, which do not decide here: a runner still wants to know what changed. */
function withFiles(evidence: Evidence, target: Target, files: ChangedFiles | null): Evidence {
  const affected = isAffected(target, files);
  if (affected.kind === "unknown") {
    return { ...evidence, files: { known: false, matched: [], total: 0, because: affected.because } };
  }
  return affected.files === undefined ? evidence : { ...evidence, files: affected.files };
}
