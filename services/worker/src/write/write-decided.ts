import type { Evidence } from "@sluice/domain/decide";
import type { Database } from "@sluice/store/client";
import { insertDecisions } from "@sluice/store/decisions";
import { expandEventSha, filterUndecided, markEventsDecided } from "@sluice/store/events";
import { lockRepositories } from "@sluice/store/repositories";
import { insertTriggers, type NewTrigger } from "@sluice/store/triggers";

import type { DecidedEvent } from "../decide-event.ts";
import { markDuplicates, withTriggerIds, type Draft } from "./mark-duplicates.ts";
import { markStale } from "./mark-stale.ts";

/**
 * Writes decisions and triggers of events in one transaction. The lock of their repositories makes looking for
 * duplicates and inserting one step; an event that is decided already changes nothing.
 * @returns how many triggers each event made, in the order given.
 */
export async function writeDecided(tx: Database, batch: readonly DecidedEvent[]): Promise<number[]> {
  // Sent together, done one after the other: what is undecided is looked at once the locks are ours.
  const [, undecided] = await Promise.all([
    lockRepositories(tx, [...new Set(batch.flatMap(({ pending }) => pending.repositoryId ?? []))]),
    filterUndecided(
      tx,
      batch.map(({ pending }) => pending.id),
    ),
  ]);
  const fresh = batch
    .filter(({ pending }, place) => undecided.has(pending.id) && isFirst(batch, place))
    .toSorted((a, b) => a.pending.sequence - b.pending.sequence);
  const drafts = await markStale(tx, await markDuplicates(tx, fresh.flatMap(toDrafts)));
  const triggers = drafts.flatMap(({ trigger }) => trigger ?? []);
  const triggerIds = triggers.length > 0 ? await insertTriggers(tx, triggers) : new Map<string, string>();
  const decisions = drafts.map((draft) => withTriggerIds(draft, triggerIds));
  if (decisions.length > 0) await insertDecisions(tx, decisions);
  for (const { pending, commitSha } of fresh) {
    const { id, event } = pending;
    if (event.kind !== "push" || commitSha === null || event.newSha === null || event.newSha === commitSha)
      continue;
    await expandEventSha(tx, { id, shortSha: event.newSha, sha: commitSha });
  }
  if (fresh.length > 0) {
    await markEventsDecided(
      tx,
      fresh.map(({ pending }) => pending.id),
    );
  }
  const made = countBy(triggers.map(({ eventId }) => eventId));
  return batch.map(({ pending }) => made.get(pending.id) ?? 0);
}

function isFirst(batch: readonly DecidedEvent[], place: number): boolean {
  const id = batch[place]?.pending.id;
  return batch.findIndex(({ pending }) => pending.id === id) === place;
}

function toDrafts(decided: DecidedEvent): Draft[] {
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
): NewTrigger | null {
  const { event, repositoryId, branchArrival } = pending;
  if (event.kind !== "push" || repositoryId === null || branchArrival === null || commitSha === null)
    return null;
  return {
    targetId,
    repositoryId,
    eventId: pending.id,
    runType,
    commitSha,
    branchArrival,
    refName: event.refName,
    baseSha: event.oldSha,
    position: pending.sequence,
    changes: evidence.files ?? {
      known: false,
      matched: [],
      total: 0,
      because: "the target has no project root",
    },
  };
}

function countBy(keys: readonly string[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1);
  return counts;
}
