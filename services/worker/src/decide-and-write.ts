import type { Evidence } from "@sluice/domain/decide";
import { isDuplicate } from "@sluice/domain/duplicate";
import { createGroupCommit } from "@sluice/queue/group-commit";
import { branchKey, findBranches } from "@sluice/store/branches";
import type { Database, Store } from "@sluice/store/client";
import { isTransientDatabaseError } from "@sluice/store/database-error";
import { insertDecisions, type NewDecision } from "@sluice/store/decisions";
import { filterUndecided, markEventsDecided } from "@sluice/store/events";
import { lockRepositories } from "@sluice/store/repositories";
import { withTransaction } from "@sluice/store/transaction";
import {
  findTriggersOfCommits,
  insertTriggers,
  triggerKey,
  type NewTrigger,
  type TriggerIdentity,
  type TriggerRow,
} from "@sluice/store/triggers";

import type { DecidedEvent } from "./decide-event.ts";

/** How many triggers each event of a batch made, in the order given; 0 also where another worker was first. */
export type WrittenTriggers = number;

export interface DecisionWriter {
  /** Resolves when the event's decisions and triggers are committed, by us or by another worker before us. */
  write(decided: DecidedEvent): Promise<WrittenTriggers>;
  drain(): Promise<void>;
}

const MAX_EVENTS_PER_COMMIT = 100;
/** Counted as "bytes" of a batch: bounds the rows of one transaction; an event of more targets goes alone. */
const MAX_DECISIONS_PER_COMMIT = 2_000;

/** Events that are decided while a transaction is under way share the next one. */
export function createDecisionWriter(store: Store): DecisionWriter {
  const commits = createGroupCommit<DecidedEvent, WrittenTriggers | Error>({
    maxItems: MAX_EVENTS_PER_COMMIT,
    maxBytes: MAX_DECISIONS_PER_COMMIT,
    sizeOf: (decided) => decided.decisions.length,
    commit: (batch) => writeOrSplit(store, batch),
  });
  return {
    async write(decided) {
      const written = await commits.add(decided);
      if (written instanceof Error) throw written;
      return written;
    },
    drain: () => commits.drain(),
  };
}

/** All together; where the database refuses that, one by one, so that a bad event fails alone. */
async function writeOrSplit(
  store: Store,
  batch: readonly DecidedEvent[],
): Promise<(WrittenTriggers | Error)[]> {
  try {
    return await withTransaction(store, (tx) => writeDecided(tx, batch));
  } catch (error) {
    if (batch.length === 1 || isTransientDatabaseError(error)) throw error;
    const results: (WrittenTriggers | Error)[] = [];
    for (const decided of batch) {
      const alone = await writeOrSplit(store, [decided]).catch((cause: unknown) => [toError(cause)]);
      results.push(...alone);
    }
    return results;
  }
}

function toError(cause: unknown): Error {
  return cause instanceof Error ? cause : new Error("a decision could not be written", { cause });
}

/** A decision on its way into the store, with the trigger that it asks for. */
interface Draft {
  readonly decision: Omit<NewDecision, "triggerId" | "evidence"> & { readonly evidence: Evidence };
  readonly trigger: NewTrigger | null;
}

/**
 * Writes decisions and triggers of events in one transaction. The lock of their repositories makes looking for
 * duplicates and inserting one step; an event that is decided already changes nothing.
 */
export async function writeDecided(tx: Database, batch: readonly DecidedEvent[]): Promise<WrittenTriggers[]> {
  await lockRepositories(tx, [...new Set(batch.flatMap(({ pending }) => pending.repositoryId ?? []))]);
  const undecided = await filterUndecided(
    tx,
    batch.map(({ pending }) => pending.id),
  );
  const fresh = batch
    .filter(({ pending }, place) => undecided.has(pending.id) && isFirst(batch, place))
    .toSorted((a, b) => a.pending.sequence - b.pending.sequence);
  const drafts = await markDuplicates(tx, fresh.flatMap(toDrafts));
  const triggers = drafts.flatMap(({ trigger }) => trigger ?? []);
  const triggerIds = triggers.length > 0 ? await insertTriggers(tx, triggers) : new Map<string, string>();
  const decisions = drafts.map((draft) => withTriggerIds(draft, triggerIds));
  if (decisions.length > 0) await insertDecisions(tx, decisions);
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

/** Turns the trigger of a commit that still stands for itself into a duplicate (rule 26). */
async function markDuplicates(tx: Database, drafts: readonly Draft[]): Promise<Draft[]> {
  const wanted = drafts.flatMap(({ trigger }) => trigger ?? []);
  if (wanted.length === 0) return [...drafts];
  const earlier = groupByCommit(await findTriggersOfCommits(tx, wanted));
  const branchNames = [...wanted, ...[...earlier.values()].flat()].map((trigger) => ({
    repositoryId: trigger.repositoryId,
    name: trigger.refName,
  }));
  const branches = await findBranches(tx, branchNames);
  return drafts.map((draft) => {
    const { trigger } = draft;
    if (trigger === null) return draft;
    const same = earlier.get(commitKey(trigger)) ?? [];
    const winner = same.find((candidate) => {
      const branch = branches.get(
        branchKey({ repositoryId: candidate.repositoryId, name: candidate.refName }),
      );
      return isDuplicate(candidate, trigger, branch ?? null);
    });
    if (winner === undefined) {
      earlier.set(commitKey(trigger), [...same, { ...trigger, id: triggerKey(trigger) }]);
      return draft;
    }
    return { decision: asDuplicate(draft.decision, winner.id), trigger: null };
  });
}

function asDuplicate(decision: Draft["decision"], winnerId: string): Draft["decision"] {
  const evidence = { ...decision.evidence, duplicateOf: { triggerId: winnerId } };
  return { ...decision, outcome: "ignore", runType: null, reason: "duplicate", evidence };
}

/**
 * Names the triggers by their ids, known only now: the one that a decision made, and the winner of a duplicate within
 * the same batch, which until here stood under its key.
 */
function withTriggerIds({ decision, trigger }: Draft, triggerIds: ReadonlyMap<string, string>): NewDecision {
  const triggerId = trigger === null ? null : (triggerIds.get(triggerKey(trigger)) ?? null);
  const winner = decision.evidence.duplicateOf?.triggerId;
  const winnerId = winner === undefined ? undefined : triggerIds.get(winner);
  const evidence =
    winnerId === undefined
      ? decision.evidence
      : { ...decision.evidence, duplicateOf: { triggerId: winnerId } };
  return { ...decision, evidence, triggerId };
}

function commitKey({ targetId, runType, commitSha }: TriggerIdentity): string {
  return `${targetId} ${runType} ${commitSha}`;
}

function groupByCommit(triggers: readonly TriggerRow[]): Map<string, TriggerRow[]> {
  const groups = new Map<string, TriggerRow[]>();
  for (const trigger of triggers) {
    const group = groups.get(commitKey(trigger));
    if (group === undefined) groups.set(commitKey(trigger), [trigger]);
    else group.push(trigger);
  }
  return groups;
}

function countBy(keys: readonly string[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1);
  return counts;
}
