import type { ChangedFiles } from "@sluice/domain/changed-files";
import { decide, decideWithoutTargets, decisionNeedsFiles } from "@sluice/domain/decide";
import { limitTriggers, type TargetDecision } from "@sluice/domain/run-limit";
import type { Target } from "@sluice/domain/target";
import type { PendingEvent } from "@sluice/store/events";

/** An event with what it means for each target. */
export interface DecidedEvent {
  readonly pending: PendingEvent;
  /** The commit that the ref came to, 40 hex digits; null when nothing can run. */
  readonly commitSha: string | null;
  readonly decisions: readonly TargetDecision[];
}

/** Whether Bitbucket has to be asked before the event can be decided (rules 12, 14, 16). */
export function needsBitbucket(pending: PendingEvent, targets: readonly Target[]): boolean {
  const { event } = pending;
  if (event.kind !== "push" || targets.length === 0) return false;
  return (
    isShort(event.newSha) ||
    needsHead(pending, targets) ||
    targets.some((target) => decisionNeedsFiles(event, target))
  );
}

/** Whether the place of a push is not known, and matters: only tracked triggers have an order. */
export function needsHead({ event, isPlaced }: PendingEvent, targets: readonly Target[]): boolean {
  return (
    event.kind === "push" && !isPlaced && targets.some(({ trackedBranch }) => trackedBranch === event.refName)
  );
}

/** Decides an event for all its targets. */
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
  if (whole !== null || event.kind !== "push") {
    return { pending, commitSha, decisions: whole === null ? [] : [{ targetId: null, decision: whole }] };
  }
  const decisions = targets.map((target) => ({
    targetId: target.id,
    decision: decide({
      event,
      target,
      files: files.get(target.id) ?? null,
      isBaseline: baselineOf?.has(target.id) ?? false,
    }),
  }));
  return { pending, commitSha, decisions };
}

/** The same event, if it makes at most so many triggers; one that would make more makes none (rule 30). */
export function limitEvent(decided: DecidedEvent, maxTriggers: number): DecidedEvent {
  return { ...decided, decisions: limitTriggers(decided.decisions, maxTriggers) };
}

export function isShort(sha: string | null): sha is string {
  return sha !== null && sha.length < 40;
}
