import { isDuplicate, type TriggerArrival } from "@sluice/domain/duplicate";
import { branchKey, findBranches, type BranchName } from "@sluice/store/branches";
import type { Database } from "@sluice/store/client";
import { allAnswered } from "@sluice/store/transaction";
import {
  drawIds,
  findTriggersOfCommits,
  type NewTrigger,
  type TriggerIdentity,
  type TriggerRow,
} from "@sluice/store/triggers";

import type { Draft, NamedDraft, RepeatedTrigger } from "./draft.ts";

type Unnamed = Omit<NewTrigger, "id">;

/**
 * Turns each draft whose commit has a trigger that still stands for it into a duplicate (rule 26), and so each of a push
 * that was told before, whatever came of that; gives ids to the triggers of the others. One flight. The caller holds the locks of the repositories.
 */
export async function markDuplicates(tx: Database, drafts: readonly Draft[]): Promise<NamedDraft[]> {
  const wanted = drafts.flatMap(({ trigger }) => trigger ?? []);
  if (wanted.length === 0) return drafts.map(withoutTrigger);
  const [triggers, branches, ids] = await allAnswered([
    findTriggersOfCommits(tx, wanted),
    findBranches(tx, wanted.map(branchOf)),
    drawIds(tx, wanted.length),
  ]);
  const earlier = groupByCommit(triggers);
  const unused = ids.values();
  return drafts.map((draft) => {
    const { trigger } = draft;
    if (trigger === null) return withoutTrigger(draft);
    const same = earlier.get(commitKey(trigger)) ?? [];
    const winner = findWinner(draft.isForced === true ? same.filter(isOfArrival(trigger)) : same, trigger);
    if (winner !== null) {
      return asDuplicate(draft, winner);
    }
    if (draft.isToldAgain === true) return asToldAgain(draft);
    const id = unused.next().value;
    if (id === undefined) throw new Error("fewer ids were drawn than there are triggers");
    const named = { ...trigger, id };
    earlier.set(commitKey(trigger), [toRow(named, branches), ...same]);
    return { ...draft, trigger: named };
  });
}

/** The same arrival first; then the latest. */
function findWinner(same: readonly TriggerRow[], trigger: Unnamed): TriggerRow | null {
  const candidate = toArrival(trigger);
  const standing = same.filter(
    (earlier) =>
      (isDuplicate(toArrival(earlier), candidate, earlier.branch) || isSameRelease(earlier, trigger)) &&
      // What ended with its own branch or pull request comes back for that alone.
      (earlier.standing !== "outdated" || isOfBranch(earlier, trigger)),
  );
  return standing.find(isOfArrival(trigger)) ?? standing[0] ?? null;
}

/** By a tag that another hook tells too: a tag has no arrival, and it is not kept where tags are. */
function isSameRelease(earlier: TriggerRow, trigger: Unnamed): boolean {
  const { moduleVersion } = trigger;
  return (
    moduleVersion !== null &&
    earlier.moduleVersion === moduleVersion &&
    earlier.branch === null &&
    isOfBranch(earlier, trigger)
  );
}

/** Also of what a person asks for: his comment was then the first to tell of that head, and another report ran it for him. */
function isOfArrival({ branchArrival }: Unnamed) {
  return (earlier: TriggerRow) => earlier.branchArrival === branchArrival;
}

function asDuplicate({ decision, isReport }: Draft, winner: RepeatedTrigger): NamedDraft {
  const evidence = { ...decision.evidence, duplicateOf: { triggerId: winner.id } };
  return {
    decision: { ...decision, outcome: "ignore", runType: null, reason: "duplicate", evidence },
    trigger: null,
    // A report tells that its commit is the head now, so that what had ended may come back.
    ...(isReport === true ? { repeated: winner } : {}),
  };
}

/** What is held for the first report of a push is not to be released for the second too. */
function withoutTrigger(draft: Draft): NamedDraft {
  return draft.isToldAgain === true && draft.decision.outcome === "hold"
    ? asToldAgain(draft)
    : { ...draft, trigger: null };
}

/**
 * Should it run before the first report of the push is decided, or after that came too late, then a push that is its own
 * would later find its decision taken, and an older commit could follow a newer one (rule 14).
 */
function asToldAgain({ decision }: Draft): NamedDraft {
  return { decision: { ...decision, outcome: "ignore", runType: null, reason: "duplicate" }, trigger: null };
}

function toRow(
  trigger: NewTrigger,
  branches: ReadonlyMap<string, { readonly headSha: string | null; readonly arrivalSequence: number }>,
): TriggerRow {
  const { commitSha, branchArrival, awaitsPush } = trigger;
  const told = { headSha: commitSha, arrivalSequence: branchArrival };
  const branch = awaitsPush ? told : (branches.get(branchKey(branchOf(trigger))) ?? null);
  return { ...trigger, standing: "unclaimed", branch };
}

type OfBranch = Pick<TriggerRow, "sourceRepositoryId" | "refName">;

function branchOf({ sourceRepositoryId, refName }: OfBranch): BranchName {
  return { repositoryId: sourceRepositoryId, name: refName };
}

function isOfBranch(a: OfBranch, b: OfBranch): boolean {
  return a.sourceRepositoryId === b.sourceRepositoryId && a.refName === b.refName;
}

function toArrival(trigger: Unnamed | TriggerRow): TriggerArrival {
  const { commitSha, sourceRepositoryId: repositoryId, refName, branchArrival, awaitsPush } = trigger;
  return { commitSha, repositoryId, refName, branchArrival, awaitsPush };
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
