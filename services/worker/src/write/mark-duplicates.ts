import type { Evidence } from "@sluice/domain/decide";
import { isDuplicate } from "@sluice/domain/duplicate";
import { branchKey, findBranches } from "@sluice/store/branches";
import type { Database } from "@sluice/store/client";
import type { NewDecision } from "@sluice/store/decisions";
import {
  findTriggersOfCommits,
  triggerKey,
  type NewTrigger,
  type TriggerIdentity,
  type TriggerRow,
} from "@sluice/store/triggers";

/** A decision on its way into the store, with the trigger that it asks for. */
export interface Draft {
  readonly decision: Omit<NewDecision, "triggerId" | "evidence"> & { readonly evidence: Evidence };
  readonly trigger: NewTrigger | null;
}

/**
 * Turns each draft whose commit has a trigger that still stands for it into a duplicate (rule 26). The caller holds the
 * locks of the repositories.
 */
export async function markDuplicates(tx: Database, drafts: readonly Draft[]): Promise<Draft[]> {
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
export function withTriggerIds(
  { decision, trigger }: Draft,
  triggerIds: ReadonlyMap<string, string>,
): NewDecision {
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
