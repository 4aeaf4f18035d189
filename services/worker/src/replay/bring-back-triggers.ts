import type { TargetDecision } from "@sluice/domain/run-limit";
import type { Database } from "@sluice/store/client";
import { insertDecisions, type NewDecision } from "@sluice/store/decisions";
import { reviveReplayedTriggers, type WantedRun } from "@sluice/store/replayed-deliveries";

import type { DecidedEvent } from "../decide-event.ts";

/**
 * Queues again what an earlier replay canceled and these events ask for again, with the decisions that do so: a trigger is
 * made once. What came after it on its branch is looked at when the rest is written.
 * @returns the rest.
 */
export async function bringBackTriggers(
  tx: Database,
  batch: readonly DecidedEvent[],
  by: string,
): Promise<DecidedEvent[]> {
  const revived = await reviveReplayedTriggers(tx, { wanted: batch.flatMap(wantedOf), by });
  const triggerOf = ({ pending }: DecidedEvent, { targetId }: TargetDecision): string | null =>
    revived.find((one) => one.eventId === pending.id && one.targetId === targetId)?.triggerId ?? null;
  await insertDecisions(
    tx,
    batch.flatMap((decided) =>
      decided.decisions.flatMap((one) => {
        const triggerId = triggerOf(decided, one);
        return triggerId === null ? [] : toRows(decided, one, triggerId);
      }),
    ),
  );
  return batch.map((decided) => ({
    ...decided,
    decisions: decided.decisions.filter((one) => triggerOf(decided, one) === null),
  }));
}

function wantedOf({ pending, decisions }: DecidedEvent): WantedRun[] {
  return decisions.flatMap(({ targetId, decision }) =>
    targetId === null || decision.outcome !== "trigger"
      ? []
      : [{ eventId: pending.id, targetId, runType: decision.runType }],
  );
}

function toRows(
  { pending }: DecidedEvent,
  { targetId, decision }: TargetDecision,
  triggerId: string,
): NewDecision[] {
  if (decision.outcome !== "trigger") return [];
  const { outcome, runType, reason, evidence } = decision;
  return [{ eventId: pending.id, targetId, outcome, runType, reason, evidence, triggerId }];
}
