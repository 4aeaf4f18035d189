import { assertNever } from "@sluice/domain/assert-never";
import type { HeadPush, HeadReport } from "@sluice/domain/head-order";
import {
  judgeTriggers,
  type BranchTrigger,
  type PullRequestClosing,
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
  /** And decided: one that is not yet ends nothing. */
  readonly isDeletion: boolean;
  readonly oldSha: string | null;
  readonly newSha: string | null;
}

/** Events that the caller's transaction records. */
interface Recording {
  readonly events: readonly NewEvent[];
  /** Ids of those that it decides too. */
  readonly decidedIds: ReadonlySet<string>;
}

function pushesOf({ events, decidedIds }: Recording): ToldPush[] {
  return events.flatMap((told) => {
    const { id: eventId, sequence: position, isToldAgain, event } = told;
    const branch = branchOf(told);
    if (event.kind !== "push" || branch === null || isToldAgain) return [];
    const isDeletion = event.change === "deleted" && decidedIds.has(eventId);
    const { oldSha, newSha } = event;
    return [{ key: targetedBranchKey(branch), eventId, position, isDeletion, oldSha, newSha }];
  });
}

function reportsOf({ events }: Recording): (HeadReport & { readonly key: string })[] {
  return events.flatMap((told) => {
    const branch = branchOf(told);
    if (told.event.kind !== "pull_request" || branch === null) return [];
    const { source, state, updatedOn } = told.event.pullRequest;
    return source.sha === null || state !== "OPEN"
      ? []
      : [{ key: targetedBranchKey(branch), sha: source.sha, updatedOn }];
  });
}

/**
 * What becomes of the triggers of branches, as `listBranchTriggers` found them, once those of the drafts are made and
 * what the transaction records is there, which it did not find (rules 22, 23, 27).
 */
export function judgeBranches(
  branches: ReadonlyMap<string, BranchWithTriggers>,
  drafts: readonly NamedDraft[],
  recording: Recording = { events: [], decidedIds: new Set() },
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
  const reports = groupBy(reportsOf(recording), ({ key }) => key);
  return [...branches].flatMap(([key, branch]) => {
    const fresh = (made.get(key) ?? []).map((trigger): BranchTrigger => ({
      ...trigger,
      reportedOn: null,
      standing: "unclaimed",
    }));
    // A report that is decided now looked for the last arrival: what it found stands there already.
    const again = (repeated.get(key) ?? []).map((trigger): BranchTrigger => ({
      ...trigger,
      reportedOn: null,
    }));
    const now = [...fresh, ...again].filter(
      ({ runType, targetId }) => runType === "proposed" || branch.coalescing.includes(targetId),
    );
    const changed = new Set(now.map(({ id }) => id));
    const told = pushes.get(key) ?? [];
    return judgeTriggers({
      triggers: [...branch.triggers.filter(({ id }) => !changed.has(id)), ...now],
      deletion: latest([...told.filter(({ isDeletion }) => isDeletion), branch.deletion]),
      closing: latest(branch.closings.map((closing) => withPushes(closing, told))),
      reports: [...branch.reports, ...(reports.get(key) ?? [])],
      leavings: [...branch.leavings, ...told.flatMap(({ oldSha, position }) => toHeadPush(oldSha, position))],
      arrivals: [...branch.arrivals, ...told.flatMap(({ newSha, position }) => toHeadPush(newSha, position))],
      isCertain: branch.isCertain,
    });
  });
}

function toHeadPush(sha: string | null, position: number): HeadPush[] {
  return sha === null ? [] : [{ sha, position }];
}

/** A closed pull request's place, by the pushes to its head that are about to be recorded too. */
function withPushes(closing: PullRequestClosing, pushes: readonly ToldPush[]): PullRequestClosing {
  const toHead = pushes.filter(({ newSha }) => newSha !== null && isSameSha(newSha, closing.headSha));
  const awaitsPush = closing.awaitsPush && toHead.length === 0;
  return {
    ...closing,
    awaitsPush,
    position: Math.max(closing.position, ...toHead.map(({ position }) => position)),
  };
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
