/** What a replay does with the decisions of an event: which stay, which are made anew, and whose triggers end. */
import type { Decision } from "@sluice/domain/decide";
import type { TargetDecision } from "@sluice/domain/run-limit";
import type { DecisionReport } from "@sluice/store/decision-reports";
import type { TriggerStanding } from "@sluice/store/trigger-standings";

/** A decision that stays although it would be another one now: its trigger was handed out, or has ended. */
export interface OutlivedDecision {
  readonly decisionId: string;
  readonly wouldBe: Decision;
}

export interface ReplayPlan {
  /** Ids of decisions that are taken back. */
  readonly takenBack: readonly string[];
  /** Those that are to be written in their place. */
  readonly written: readonly TargetDecision[];
  /** Ids of triggers that nobody has had, and that would not be made any more. */
  readonly ended: readonly string[];
  readonly outlived: readonly OutlivedDecision[];
}

/**
 * Compares what was decided of an event with what is decided now. What stays as it is: what would be decided alike, since a
 * trigger is made once; what a person settled (rule 17); a baseline, which never runs (rule 34), although the next sweep
 * has the target begin later; a decision whose trigger a scheduler has had, or has ended, since that cannot be undone; and
 * one of what is no target of the repository any more. What would run now is written anew even where it did not before:
 * whether it is a duplicate, or stale, is found out then.
 */
export function planReplay(input: {
  readonly before: readonly DecisionReport[];
  readonly now: readonly TargetDecision[];
  readonly triggers: ReadonlyMap<string, TriggerStanding>;
}): ReplayPlan {
  const { before, now, triggers } = input;
  const decided = new Map(now.map(({ targetId, decision }) => [targetId, decision]));
  const takenBack: string[] = [];
  const ended: string[] = [];
  const outlived: OutlivedDecision[] = [];
  const kept = new Set<string | null>();
  for (const one of before) {
    const targetId = one.target?.id ?? null;
    const wouldBe = decided.get(targetId);
    const trigger = one.triggerId === null ? null : (triggers.get(one.triggerId) ?? null);
    if (keeps(one, wouldBe)) {
      kept.add(targetId);
    } else if (trigger !== null && wouldBe !== undefined && !isUntouched(trigger)) {
      kept.add(targetId);
      outlived.push({ decisionId: one.id, wouldBe });
    } else {
      takenBack.push(one.id);
      if (trigger !== null) ended.push(trigger.id);
    }
  }
  return { takenBack, ended, outlived, written: now.filter(({ targetId }) => !kept.has(targetId)) };
}

function keeps(before: DecisionReport, now: Decision | undefined): boolean {
  if (now === undefined) return before.target !== null;
  if (before.evidence.resolvedBy !== undefined || before.reason === "baseline") return true;
  const runType = now.outcome === "ignore" ? null : now.runType;
  const isAlike =
    before.outcome === now.outcome && before.reason === now.reason && before.runType === runType;
  return isAlike && (now.outcome !== "trigger" || before.triggerId !== null);
}

/** No scheduler has ever had it, and it waits for one. */
function isUntouched({ state, attempt }: TriggerStanding): boolean {
  return attempt === 0 && (state === "blocked" || state === "queued");
}
