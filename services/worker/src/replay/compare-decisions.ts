/** What a replay changes, target by target. Pure. */
import type { StoredDecision } from "@sluice/domain/explain";
import type { DecisionReport } from "@sluice/store/decision-reports";
import type { OpenTrigger } from "@sluice/store/replayed-deliveries";
import type { TriggerStanding } from "@sluice/store/trigger-standings";

import type { OutlivedDecision } from "./plan-replay.ts";

/** A decision before the replay and after it. */
export interface DecisionChange {
  readonly kind:
    | "unchanged"
    /** It runs neither before nor after, for another reason; or it is decided for the first time. */
    | "reason"
    /** It makes a trigger, which it did not; one of another kind that it had made ends. */
    | "triggered"
    /** Its trigger ends, and there is none in its place. */
    | "ended"
    /** By the present rules it would be `after`, but what has been handed out, or has ended, is not undone. */
    | "outlived";
  /** Null: the event as a whole. */
  readonly target: DecisionReport["target"];
  /** Null: there was none. */
  readonly before: StoredDecision | null;
  readonly after: StoredDecision;
  /** That the decision stands for afterwards; null: none. */
  readonly trigger: TriggerStanding | null;
  /** That the replay cancels; null: none. */
  readonly ended: TriggerStanding | null;
}

/** A trigger of another event that the replay changes: by superseding it, or by its revival. */
export interface TriggerChange {
  readonly id: string;
  /** Null: it had ended. */
  readonly before: OpenTrigger["state"] | null;
  /** Null: it has ended. */
  readonly after: OpenTrigger["state"] | null;
  readonly isAskedToStop: boolean;
}

/** Compares the decisions of one event, in the order of `after`. `triggers`: of both, as they stand afterwards. */
export function compareDecisions(input: {
  readonly before: readonly DecisionReport[];
  readonly after: readonly DecisionReport[];
  readonly outlived: readonly OutlivedDecision[];
  readonly triggers: ReadonlyMap<string, TriggerStanding>;
}): DecisionChange[] {
  const { before, after, outlived, triggers } = input;
  const earlier = new Map(before.map((one) => [one.target?.id ?? null, one]));
  const wouldBe = new Map(outlived.map((one) => [one.decisionId, one.wouldBe]));
  const standing = (id: string | null) => (id === null ? null : (triggers.get(id) ?? null));
  return after.map((now) => {
    const was = earlier.get(now.target?.id ?? null) ?? earlier.get(null) ?? null;
    const instead = wouldBe.get(now.id);
    const isSameTrigger = was?.triggerId === now.triggerId;
    return {
      kind: instead === undefined ? kindOf(was, now) : "outlived",
      target: now.target,
      before: was === null ? null : toStored(was),
      after: instead === undefined ? toStored(now) : { runType: null, ...instead },
      trigger: standing(now.triggerId),
      ended: was === null || isSameTrigger ? null : standing(was.triggerId),
    };
  });
}

function kindOf(was: DecisionReport | null, now: DecisionReport): DecisionChange["kind"] {
  if (now.triggerId !== null) return was?.triggerId === now.triggerId ? "unchanged" : "triggered";
  if (was === null) return "reason";
  if (was.triggerId !== null) return "ended";
  const isAlike = was.outcome === now.outcome && was.reason === now.reason && was.runType === now.runType;
  return isAlike && was.target?.id === now.target?.id ? "unchanged" : "reason";
}

function toStored({ reason, evidence, runType }: StoredDecision): StoredDecision {
  return { reason, evidence, runType };
}

/** Which of the open triggers the replay changed, besides `own`: those of the delivery's decisions. */
export function compareTriggers(
  before: readonly OpenTrigger[],
  after: readonly OpenTrigger[],
  own: ReadonlySet<string>,
): TriggerChange[] {
  const was = new Map(before.map((one) => [one.id, one]));
  const is = new Map(after.map((one) => [one.id, one]));
  return [...new Set([...was.keys(), ...is.keys()])]
    .filter((id) => !own.has(id))
    .flatMap((id) => {
      const [one, other] = [was.get(id), is.get(id)];
      const isAskedToStop = other?.cancelRequested === true && one?.cancelRequested !== true;
      const isChanged = one?.state !== other?.state || isAskedToStop;
      return isChanged
        ? [{ id, before: one?.state ?? null, after: other?.state ?? null, isAskedToStop }]
        : [];
    });
}
