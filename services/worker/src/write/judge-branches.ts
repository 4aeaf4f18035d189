import {
  judgeTriggers,
  type BranchTrigger,
  type PushPlace,
  type TriggerVerdict,
} from "@sluice/domain/outdated";
import type { BranchWithTriggers } from "@sluice/store/branch-triggers";
import { branchKey, type BranchName } from "@sluice/store/branches";
import type { NewEvent, PendingEvent } from "@sluice/store/events";

import type { NamedDraft } from "./draft.ts";

/** A push that deleted a branch. */
type BranchDeletion = BranchName & PushPlace;

/** The branches to which these events were pushes, each once. */
export function branchesOf(events: readonly Pick<PendingEvent, "repositoryId" | "event">[]): BranchName[] {
  const branches = new Map<string, BranchName>();
  for (const { repositoryId, event } of events) {
    if (repositoryId === null || event.kind !== "push" || event.refKind !== "branch") continue;
    const branch = { repositoryId, name: event.refName };
    branches.set(branchKey(branch), branch);
  }
  return [...branches.values()];
}

/** Those of the events that delete a branch; one that is told again does not, as far as is known. */
export function deletionsOf(events: readonly NewEvent[]): BranchDeletion[] {
  return events.flatMap(({ id: eventId, sequence: position, isToldAgain, ...push }) =>
    push.event.kind === "push" && push.event.change === "deleted" && !isToldAgain
      ? branchesOf([push]).map((branch) => ({ ...branch, eventId, position }))
      : [],
  );
}

/**
 * What becomes of the triggers of branches, as `listBranchTriggers` found them, once those of the drafts are made and
 * these deletions are recorded (rules 23, 27).
 */
export function judgeBranches(
  branches: ReadonlyMap<string, BranchWithTriggers>,
  drafts: readonly NamedDraft[],
  deletions: readonly BranchDeletion[] = [],
): TriggerVerdict[] {
  const made = groupBy(
    drafts.flatMap(({ trigger }) => trigger ?? []),
    ({ repositoryId, refName }) => branchKey({ repositoryId, name: refName }),
  );
  const deleted = groupBy(deletions, branchKey);
  return [...branches].flatMap(([key, { triggers, deletion, isCertain, coalescing }]) => {
    const drafted = (made.get(key) ?? [])
      .filter(({ runType, targetId }) => runType === "proposed" || coalescing.includes(targetId))
      .map((trigger): BranchTrigger => ({ ...trigger, standing: "unclaimed" }));
    const ends = [deletion, ...(deleted.get(key) ?? [])].filter((one) => one !== null);
    const [last = null] = ends.toSorted((a, b) => b.position - a.position);
    return judgeTriggers({ triggers: [...triggers, ...drafted], deletion: last, isCertain });
  });
}

function groupBy<T>(all: readonly T[], keyOf: (one: T) => string): ReadonlyMap<string, readonly T[]> {
  const groups = new Map<string, T[]>();
  for (const one of all) {
    const group = groups.get(keyOf(one));
    if (group === undefined) groups.set(keyOf(one), [one]);
    else group.push(one);
  }
  return groups;
}
