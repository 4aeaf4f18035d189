import type { Decision } from "./decide.ts";

/** What an event means for one target; `targetId` null: for the event as a whole. */
export interface TargetDecision {
  readonly targetId: string | null;
  readonly decision: Decision;
}

/**
 * The decisions of one event, which may make at most `limit` triggers: when it would make more, it makes none (rule 30).
 * Counted before duplicates are known, so that it does not depend on the order in which events are decided.
 */
export function limitTriggers(
  decisions: readonly TargetDecision[],
  limit: number,
): readonly TargetDecision[] {
  const triggers = decisions.filter(({ decision }) => decision.outcome === "trigger").length;
  if (triggers <= limit) return decisions;
  return decisions.map(({ targetId, decision }) =>
    decision.outcome === "trigger"
      ? {
          targetId,
          decision: {
            outcome: "ignore",
            reason: "run_limit",
            evidence: { ...decision.evidence, runLimit: { triggers, limit } },
          },
        }
      : { targetId, decision },
  );
}
