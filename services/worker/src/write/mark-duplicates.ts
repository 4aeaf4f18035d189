import { isDuplicate } from "@sluice/domain/duplicate";
import { branchKey, findBranches } from "@sluice/store/branches";
import type { Database } from "@sluice/store/client";
import { allAnswered } from "@sluice/store/transaction";
import {
  drawIds,
  findTriggersOfCommits,
  type TriggerIdentity,
  type TriggerRow,
} from "@sluice/store/triggers";

import type { Draft, NamedDraft } from "./draft.ts";

/**
 * Turns each draft whose commit has a trigger that still stands for it into a duplicate (rule 26), and gives ids to the
 * triggers of the others. One flight. The caller holds the locks of the repositories.
 */
export async function markDuplicates(tx: Database, drafts: readonly Draft[]): Promise<NamedDraft[]> {
  const wanted = drafts.flatMap(({ trigger }) => trigger ?? []);
  if (wanted.length === 0) return drafts.map(({ decision }) => ({ decision, trigger: null }));
  const [triggers, branches, ids] = await allAnswered([
    findTriggersOfCommits(tx, wanted),
    findBranches(tx, wanted.map(branchOf)),
    drawIds(tx, wanted.length),
  ]);
  const earlier = groupByCommit(triggers);
  const unused = ids.values();
  return drafts.map(({ decision, trigger }) => {
    if (trigger === null) return { decision, trigger };
    const same = earlier.get(commitKey(trigger)) ?? [];
    const winner = same.find((candidate) => isDuplicate(candidate, trigger, candidate.branch));
    if (winner !== undefined) return { decision: asDuplicate(decision, winner.id), trigger: null };
    const id = unused.next().value;
    if (id === undefined) throw new Error("fewer ids were drawn than there are triggers");
    const branch = branches.get(branchKey(branchOf(trigger))) ?? null;
    earlier.set(commitKey(trigger), [...same, { ...trigger, id, branch }]);
    return { decision, trigger: { ...trigger, id } };
  });
}

function asDuplicate(decision: Draft["decision"], winnerId: string): Draft["decision"] {
  const evidence = { ...decision.evidence, duplicateOf: { triggerId: winnerId } };
  return { ...decision, outcome: "ignore", runType: null, reason: "duplicate", evidence };
}

function branchOf({ repositoryId, refName }: { readonly repositoryId: string; readonly refName: string }) {
  return { repositoryId, name: refName };
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
