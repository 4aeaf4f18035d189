/** What comes after a trigger on its branch, and makes it pointless (rules 22, 23, 27). */
import type { RunType } from "./decide.ts";
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
}

/** A trigger as far as it matters what came after it. */
export interface BranchTrigger extends PushPlace {
  readonly id: string;
  readonly targetId: string;
  readonly runType: RunType;
  /** 40 hex digits. */
  readonly commitSha: string;
  /**
   * - `unclaimed`: nobody has it;
   * - `held`: somebody has it, and was not asked to stop;
   * - `outdated`: it was ended because of what came after it;
   * - `settled`: anything else, which stays as it is.
   */
  readonly standing: "unclaimed" | "held" | "outdated" | "settled";
}

/** The triggers of one branch. */
export interface BranchTriggers {
  /** At least those that are unclaimed or held, and the latest of each target and run type. */
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
 * deletion ends the proposed ones before that. Newer is what has the later place, not what is told later. While places are
 * not certain, no trigger supersedes another, and the deletion ends what was also told before it: a branch that was made
 * and is deleted runs in a circle, and is never certain. A pull request that is closed ends the proposed ones up to its
 * head, and those of its head that somebody asked for later. An end that turns out to have been wrong is undone. Nobody who has a tracked trigger is asked to stop.
 */
export function judgeTriggers(branch: BranchTriggers): TriggerVerdict[] {
  return groupByTarget(branch.triggers).flatMap((group) =>
    group.flatMap((trigger): TriggerVerdict[] => {
      const { id: triggerId, runType, standing, position } = trigger;
      if (standing === "settled") return [];
      if (standing === "outdated") {
        const isLast = group.every((other) => other.position <= position);
        return isLast && !isBehindEnd(trigger, branch) ? [{ triggerId, kind: "revived" }] : [];
      }
      if (standing === "held" && runType === "tracked") return [];
      const newest = group.at(-1);
      if (branch.isCertain && newest !== undefined && newest.position > position) {
        return [{ triggerId, kind: "superseded", newerId: newest.id }];
      }
      return runType === "proposed" ? endOf(trigger, branch) : [];
    }),
  );
}

function endOf(trigger: BranchTrigger, { deletion, closing, isCertain }: BranchTriggers): TriggerVerdict[] {
  const { id: triggerId, position, eventId } = trigger;
  if (deletion !== null && deletion.position > position && (isCertain || deletion.eventId > eventId)) {
    return [{ triggerId, kind: "branch_deleted" }];
  }
  // Certain or not: a push after the head of an open pull request would be its head.
  return closing !== null && ends(closing, trigger)
    ? [{ triggerId, kind: "pull_request_closed", number: closing.number }]
    : [];
}

/** Whether anything that ends triggers may come after this one. */
function isBehindEnd(trigger: BranchTrigger, { deletion, closing }: BranchTriggers): boolean {
  if (trigger.runType !== "proposed") return false;
  return (
    (deletion !== null && deletion.position > trigger.position) ||
    (closing !== null && ends(closing, trigger))
  );
}

function ends({ position, headSha }: PullRequestClosing, trigger: BranchTrigger): boolean {
  return position >= trigger.position || isSameSha(headSha, trigger.commitSha);
}

/** Of each target and run type, the earliest first. */
function groupByTarget(triggers: readonly BranchTrigger[]): (readonly BranchTrigger[])[] {
  const groups = new Map<string, BranchTrigger[]>();
  for (const trigger of triggers.toSorted((a, b) => a.position - b.position)) {
    const key = `${trigger.runType} ${trigger.targetId}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [trigger]);
    else group.push(trigger);
  }
  return [...groups.values()];
}
