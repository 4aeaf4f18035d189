import { assertNever } from "@sluice/domain/assert-never";
import {
  judgeTriggers,
  type BranchTrigger,
  type PushPlace,
  type TriggerVerdict,
} from "@sluice/domain/outdated";
import { isSameSha } from "@sluice/domain/pull-request";
import {
  targetedBranchKey,
  type BranchWithTriggers,
  type TargetedBranch,
} from "@sluice/store/branch-triggers";
import type { NewEvent } from "@sluice/store/events";
import type { PendingEvent } from "@sluice/store/pending-events";

import type { NamedDraft } from "./draft.ts";

/** The branches that these events tell of, each once: those that pushes moved, and the sources of pull requests. */
export function branchesOf(
  events: readonly Pick<PendingEvent, "repositoryId" | "sourceRepositoryId" | "event">[],
): TargetedBranch[] {
  const branches = new Map<string, TargetedBranch>();
  for (const event of events) {
    const branch = branchOf(event);
    if (branch !== null) branches.set(targetedBranchKey(branch), branch);
  }
  return [...branches.values()];
}

function branchOf({
  repositoryId,
  sourceRepositoryId,
  event,
}: Pick<PendingEvent, "repositoryId" | "sourceRepositoryId" | "event">): TargetedBranch | null {
  if (repositoryId === null) return null;
  switch (event.kind) {
    case "push":
      return event.refKind === "branch"
        ? { repositoryId, sourceRepositoryId: repositoryId, name: event.refName }
        : null;
    case "pull_request":
      return sourceRepositoryId === null
        ? null
        : { repositoryId, sourceRepositoryId, name: event.pullRequest.source.branch };
    case "unsupported":
      return null;
    default:
      return assertNever(event);
  }
}

/** A push as it is about to be recorded. One that is told again is none, as far as is known. */
interface ToldPush extends PushPlace {
  readonly key: string;
  readonly isDeletion: boolean;
  readonly newSha: string | null;
}

function pushesOf(events: readonly NewEvent[]): ToldPush[] {
  return events.flatMap((told) => {
    const { id: eventId, sequence: position, isToldAgain, event } = told;
    const branch = branchOf(told);
    if (event.kind !== "push" || branch === null || isToldAgain) return [];
    const isDeletion = event.change === "deleted";
    return [{ key: targetedBranchKey(branch), eventId, position, isDeletion, newSha: event.newSha }];
  });
}

/**
 * What becomes of the triggers of branches, as `listBranchTriggers` found them, once those of the drafts are made and
 * these events are recorded, which it did not find (rules 22, 23, 27).
 */
export function judgeBranches(
  branches: ReadonlyMap<string, BranchWithTriggers>,
  drafts: readonly NamedDraft[],
  recording: readonly NewEvent[] = [],
): TriggerVerdict[] {
  const made = groupBy(
    drafts.flatMap(({ trigger }) => trigger ?? []),
    keyOfTrigger,
  );
  const repeated = groupBy(
    drafts.flatMap((draft) => draft.repeated ?? []),
    keyOfTrigger,
  );
  const pushes = groupBy(pushesOf(recording), ({ key }) => key);
  return [...branches].flatMap(([key, branch]) => {
    const fresh = (made.get(key) ?? []).map((trigger): BranchTrigger => ({
      ...trigger,
      standing: "unclaimed",
    }));
    const now = [...fresh, ...(repeated.get(key) ?? [])].filter(
      ({ runType, targetId }) => runType === "proposed" || branch.coalescing.includes(targetId),
    );
    const changed = new Set(now.map(({ id }) => id));
    const told = pushes.get(key) ?? [];
    return judgeTriggers({
      triggers: [...branch.triggers.filter(({ id }) => !changed.has(id)), ...now],
      deletion: latest([...told.filter(({ isDeletion }) => isDeletion), branch.deletion]),
      closing: latest(branch.closings.map((closing) => withPushes(closing, told))),
      isCertain: branch.isCertain,
    });
  });
}

/** A closed pull request's place, by the pushes to its head that are about to be recorded too. */
function withPushes<T extends { readonly headSha: string | null; readonly position: number }>(
  closing: T,
  pushes: readonly ToldPush[],
): T {
  const toHead = pushes.filter(({ newSha }) => newSha !== null && isSameSha(newSha, closing.headSha));
  return { ...closing, position: Math.max(closing.position, ...toHead.map(({ position }) => position)) };
}

function latest<T extends { readonly position: number }>(all: readonly (T | null)[]): T | null {
  return all.reduce((a, b) => (a === null || (b !== null && b.position > a.position) ? b : a), null);
}

function keyOfTrigger(trigger: {
  readonly repositoryId: string;
  readonly sourceRepositoryId: string;
  readonly refName: string;
}): string {
  return targetedBranchKey({ ...trigger, name: trigger.refName });
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
