import { assertNever } from "@sluice/domain/assert-never";
import type { ChangedFiles } from "@sluice/domain/changed-files";
import {
  decide,
  type DecideContext,
  decideWithoutTargets,
  decisionNeedsFiles,
  decisionNeedsVersion,
} from "@sluice/domain/decide";
import type { Event, PushEvent } from "@sluice/domain/event";
import { isShort, needsHead } from "@sluice/domain/event-waits";
import { limitTriggers, type TargetDecision } from "@sluice/domain/run-limit";
import type { Target } from "@sluice/domain/target";
import type { PendingEvent } from "@sluice/store/pending-events";

/** An event with what it means for each target. */
export interface DecidedEvent {
  readonly pending: PendingEvent;
  /** The commit that is to run, 40 hex digits: the one that the ref came to, or a pull request's head; null when nothing can run. */
  readonly commitSha: string | null;
  readonly decisions: readonly TargetDecision[];
  /** A person asked for the runs by a comment: they are no duplicates of others (rule 24). */
  readonly isForced?: boolean;
}

/**
 * Whether the event needs a job of its own: Bitbucket has to be asked before it can be decided (rules 12, 14, 16), or it is
 * a pull request's.
 */
export function needsResolving(pending: PendingEvent, targets: readonly Target[]): boolean {
  const { event } = pending;
  if (targets.length === 0) return false;
  switch (event.kind) {
    case "unsupported":
      return false;
    case "pull_request":
      return true;
    case "push":
      return pushNeedsBitbucket(pending, event, targets);
    default:
      return assertNever(event);
  }
}

/** Whether Bitbucket has to be asked before a push can be decided (rules 12, 14, 16). */
export function pushNeedsBitbucket(
  pending: PendingEvent,
  event: PushEvent,
  targets: readonly Target[],
): boolean {
  return (
    isShort(event.newSha) ||
    needsHead(pending, targets) ||
    targets.some((target) => decisionNeedsFiles(event, target) || decisionNeedsVersion(event, target))
  );
}

/** Decides an event that asks nothing of its pull request for all its targets: a push, or one that has none. */
export function decideEvent(input: {
  readonly pending: PendingEvent;
  readonly targets: readonly Target[];
  readonly files: ReadonlyMap<string, ChangedFiles>;
  readonly commitSha: string | null;
  /** Ids of those for which the event is a baseline (rule 34). */
  readonly baselineOf?: ReadonlySet<string>;
}): DecidedEvent {
  const { pending, targets, files, commitSha, baselineOf } = input;
  const { event } = pending;
  const whole = decideWithoutTargets(event, targets.length);
  if (whole !== null) return { pending, commitSha, decisions: [{ targetId: null, decision: whole }] };
  const decisions = decideTargets(event, targets, ({ id }) => ({
    files: files.get(id) ?? null,
    pullRequest: null,
    isBaseline: baselineOf?.has(id) ?? false,
  }));
  return { pending, commitSha, decisions };
}

/** What an event means for each target, by what is known of it for that one. */
export function decideTargets(
  event: Event,
  targets: readonly Target[],
  contextOf: (target: Target) => DecideContext,
): TargetDecision[] {
  return targets.map((target) => ({
    targetId: target.id,
    decision: decide(event, target, contextOf(target)),
  }));
}

/** The same event, if it makes at most so many triggers; one that would make more makes none (rule 30). */
export function limitEvent(decided: DecidedEvent, maxTriggers: number): DecidedEvent {
  return { ...decided, decisions: limitTriggers(decided.decisions, maxTriggers) };
}
