import type { Evidence } from "@sluice/domain/decide";
import type { NewDecision } from "@sluice/store/decisions";
import type { NewTrigger } from "@sluice/store/triggers";

import type { DecidedEvent } from "../decide-event.ts";

/** A decision on its way into the store, with the trigger that it asks for. */
export interface Draft {
  readonly decision: Omit<NewDecision, "triggerId" | "evidence"> & { readonly evidence: Evidence };
  readonly trigger: Omit<NewTrigger, "id"> | null;
}

/** A draft whose trigger has its id. */
export interface NamedDraft extends Draft {
  readonly trigger: NewTrigger | null;
}

/** The decisions of events, in the order of the events. */
export function toDrafts(batch: readonly DecidedEvent[]): Draft[] {
  return batch.toSorted((a, b) => a.pending.sequence - b.pending.sequence).flatMap(draftsOf);
}

/** The decision, with the id of the trigger that it makes. */
export function withTriggerId({ decision, trigger }: NamedDraft): NewDecision {
  return { ...decision, triggerId: trigger?.id ?? null };
}

/** How many triggers each event makes, by event id. */
export function countTriggers(drafts: readonly Draft[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { trigger } of drafts) {
    if (trigger !== null) counts.set(trigger.eventId, (counts.get(trigger.eventId) ?? 0) + 1);
  }
  return counts;
}

function draftsOf(decided: DecidedEvent): Draft[] {
  return decided.decisions.map(({ targetId, decision }) => ({
    decision: {
      eventId: decided.pending.id,
      targetId,
      outcome: decision.outcome,
      runType: decision.outcome === "ignore" ? null : decision.runType,
      reason: decision.reason,
      evidence: decision.evidence,
    },
    trigger:
      targetId === null || decision.outcome !== "trigger" ? null : toTrigger(decided, targetId, decision),
  }));
}

function toTrigger(
  { pending, commitSha }: DecidedEvent,
  targetId: string,
  { runType, evidence }: { readonly runType: NewTrigger["runType"]; readonly evidence: Evidence },
): Draft["trigger"] {
  const { event, repositoryId, branchArrival } = pending;
  if (event.kind !== "push" || repositoryId === null || branchArrival === null || commitSha === null)
    return null;
  return {
    targetId,
    repositoryId,
    sourceRepositoryId: repositoryId,
    eventId: pending.id,
    runType,
    commitSha,
    branchArrival,
    refName: event.refName,
    baseSha: event.oldSha,
    position: pending.sequence,
    awaitsPush: false,
    moduleVersion: null,
    changes: evidence.files ?? {
      known: false,
      matched: [],
      total: 0,
      because: "the target has no project root",
    },
  };
}
