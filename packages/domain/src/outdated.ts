/** What comes after a trigger on its branch, and makes it pointless (rules 22, 23, 27). */
import type { RunType } from "./decide.ts";
import { comesBeforeHead, positionOfRun, type HeadHistory } from "./head-order.ts";
import { isSameSha } from "./pull-request.ts";

/** Where a push stands. */
export interface PushPlace {
  /** Among the pushes of its branch. */
  readonly position: number;
  /** Event ids ascend in the order in which events were told. */
  readonly eventId: string;
}

/** A pull request of the branch that was closed without a merge, and where its head stands. */
export interface PullRequestClosing {
  readonly number: number;
  /** 7 to 40 hex digits; null: nothing is known of its head. */
  readonly headSha: string | null;
  /** Among the pushes of its branch. */
  readonly position: number;
  /** No push to its head is known: it has the place in which it was told. */
  readonly awaitsPush: boolean;
}

/** A trigger as far as it matters what came after it. */
export interface BranchTrigger extends PushPlace {
  readonly id: string;
  readonly targetId: string;
  readonly runType: RunType;
  /** 40 hex digits. */
  readonly commitSha: string;
  /** A pull request told of its commit, and no push to it is known: it has the place in which it was told. */
  readonly awaitsPush: boolean;
  /** See `HeadRun`. */
  readonly reportedOn: string | null;
  /**
   * - `unclaimed`: nobody has it;
   * - `held`: somebody has it, and was not asked to stop;
   * - `outdated`: it was ended because of what came after it;
   * - `settled`: anything else, which stays as it is.
   */
  readonly standing: "unclaimed" | "held" | "outdated" | "settled";
}

/** The triggers of one branch. */
export interface BranchTriggers extends HeadHistory {
  /**
   * At least those that are unclaimed or held, and of each target and run type the latest of those that await their push,
   * and of the others; and those that stood for the latest reported head, when the branch came to it more than once.
   */
  readonly triggers: readonly BranchTrigger[];
  /** The latest push that deleted the branch; null when none is known. */
  readonly deletion: PushPlace | null;
  /** The closed pull request with the latest head; null when none is known, or another one of the branch is open. */
  readonly closing: PullRequestClosing | null;
  /** False while the pushes do not tell where the branch is (see `BranchState.chain`). */
  readonly isCertain: boolean;
}

/** What a trigger is to become. Of one that is held, its holder is asked to stop instead. */
export type TriggerVerdict =
  | { readonly triggerId: string; readonly kind: "superseded"; readonly newerId: string }
  | { readonly triggerId: string; readonly kind: "branch_deleted" }
  | { readonly triggerId: string; readonly kind: "pull_request_closed"; readonly number: number }
  /** What came after it turned out to come before it: it waits for a scheduler again. */
  | { readonly triggerId: string; readonly kind: "revived" };

/**
 * What becomes of a branch's triggers: a newer one of the same target supersedes those before it, and the branch's
 * deletion ends the proposed ones before that. Newer is what has the later place, not what is told later; what awaits its
 * push stands among the others as reports of pull requests tell, whatever places those took over meanwhile; what stood for
 * the latest of those reports, where the branch last came to that head. While places are not certain, no trigger supersedes
 * another, and the deletion ends what was also told before it: a branch that was made and is deleted runs in a circle, and
 * is never certain. A pull request that is closed ends the proposed ones up to its head, and those of its head that somebody
 * asked for later. An end that turns out to have been wrong is undone. Nobody who has a tracked trigger is asked to stop.
 */
export function judgeTriggers(branch: BranchTriggers): TriggerVerdict[] {
  return groupByTarget(branch.triggers).flatMap((triggers) => {
    const group = triggers.map((trigger) => moveToLastArrival(trigger, triggers, branch));
    const placed = group.map((trigger) => placeTrigger(trigger, group, branch)).toSorted(comparePlaces);
    const newest = placed.at(-1);
    return placed.flatMap((place): TriggerVerdict[] => {
      const { trigger } = place;
      const { id: triggerId, runType, standing } = trigger;
      const isNewest = newest === undefined || comparePlaces(place, newest) === 0;
      if (standing === "settled") return [];
      if (standing === "outdated") {
        return isNewest && !isBehindEnd(trigger, branch) ? [{ triggerId, kind: "revived" }] : [];
      }
      if (standing === "held" && runType === "tracked") return [];
      if (branch.isCertain && !isNewest) {
        return [{ triggerId, kind: "superseded", newerId: newest.trigger.id }];
      }
      return runType === "proposed" ? endOf(trigger, branch) : [];
    });
  });
}

/** The last run of a commit stands for its last arrival (`positionOfRun`); not one that still awaits its own push. */
function moveToLastArrival(
  trigger: BranchTrigger,
  group: readonly BranchTrigger[],
  heads: HeadHistory,
): BranchTrigger {
  const { runType, commitSha, position, awaitsPush } = trigger;
  const ranLater = group.some((other) => other.commitSha === commitSha && other.position > position);
  if (runType === "tracked" || awaitsPush || ranLater) return trigger;
  return { ...trigger, position: positionOfRun(trigger, heads) };
}

/** A trigger, and where it stands among those of its target: at a position, right before it, or right behind it. */
interface PlacedTrigger {
  readonly trigger: BranchTrigger;
  readonly position: number;
  readonly side: -1 | 0 | 1;
}

/** One that awaits its push stands where reports say, among those whose pushes were told. */
function placeTrigger(
  trigger: BranchTrigger,
  group: readonly BranchTrigger[],
  heads: HeadHistory,
): PlacedTrigger {
  const { commitSha, position, awaitsPush } = trigger;
  if (!awaitsPush) return { trigger, position, side: 0 };
  const comesBefore = (other: BranchTrigger) => comesBeforeHead(other, { sha: commitSha, position }, heads);
  const behind = positionsOf(group.filter((other) => other.position > position && comesBefore(other)));
  if (behind.length > 0) return { trigger, position: Math.max(...behind), side: 1 };
  const before = positionsOf(group.filter((other) => other.position < position && !comesBefore(other)));
  if (before.length > 0) return { trigger, position: Math.min(...before), side: -1 };
  return { trigger, position, side: 0 };
}

function positionsOf(triggers: readonly BranchTrigger[]): readonly number[] {
  return triggers.map(({ position }) => position);
}

/** Zero only for those of one place. */
function comparePlaces(a: PlacedTrigger, b: PlacedTrigger): number {
  return a.position - b.position || a.side - b.side || a.trigger.position - b.trigger.position;
}

function endOf(trigger: BranchTrigger, branch: BranchTriggers): TriggerVerdict[] {
  const { deletion, closing, isCertain } = branch;
  const { id: triggerId, position, eventId } = trigger;
  if (deletion !== null && deletion.position > position && (isCertain || deletion.eventId > eventId)) {
    return [{ triggerId, kind: "branch_deleted" }];
  }
  // Certain or not: a push after the head of an open pull request would be its head.
  return closing !== null && ends(closing, trigger, branch)
    ? [{ triggerId, kind: "pull_request_closed", number: closing.number }]
    : [];
}

/** Whether anything that ends triggers may come after this one. */
function isBehindEnd(trigger: BranchTrigger, branch: BranchTriggers): boolean {
  const { deletion, closing } = branch;
  if (trigger.runType !== "proposed") return false;
  return (
    (deletion !== null && deletion.position > trigger.position) ||
    (closing !== null && ends(closing, trigger, branch))
  );
}

function ends(
  { position, headSha, awaitsPush }: PullRequestClosing,
  trigger: BranchTrigger,
  heads: HeadHistory,
): boolean {
  if (isSameSha(headSha, trigger.commitSha)) return true;
  return awaitsPush && headSha !== null
    ? comesBeforeHead(trigger, { sha: headSha, position }, heads)
    : position >= trigger.position;
}

/** Of each target and run type, in no order. */
function groupByTarget(triggers: readonly BranchTrigger[]): (readonly BranchTrigger[])[] {
  const groups = new Map<string, BranchTrigger[]>();
  for (const trigger of triggers) {
    const key = `${trigger.runType} ${trigger.targetId}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [trigger]);
    else group.push(trigger);
  }
  return [...groups.values()];
}
