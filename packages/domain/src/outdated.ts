/** What comes after a trigger on its branch, and makes it pointless (rules 23, 27). */
import type { RunType } from "./decide.ts";

/** Where a push stands. */
export interface PushPlace {
  /** Among the pushes of its branch. */
  readonly position: number;
  /** Event ids ascend in the order in which pushes were told. */
  readonly eventId: string;
}

/** A trigger as far as it matters what came after it. */
export interface BranchTrigger extends PushPlace {
  readonly id: string;
  readonly targetId: string;
  readonly runType: RunType;
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
  /** False while the pushes do not tell where the branch is (see `BranchState.chain`). */
  readonly isCertain: boolean;
}

/** What a trigger is to become. Of one that is held, its holder is asked to stop instead. */
export type TriggerVerdict =
  | { readonly triggerId: string; readonly kind: "superseded"; readonly newerId: string }
  | { readonly triggerId: string; readonly kind: "branch_deleted" }
  /** What came after it turned out to come before it: it waits for a scheduler again. */
  | { readonly triggerId: string; readonly kind: "revived" };

/**
 * What becomes of a branch's triggers: a newer one of the same target supersedes those before it, and the branch's
 * deletion ends the proposed ones before that. Newer is what has the later place, not what is told later. While places are
 * not certain, no trigger supersedes another, and the deletion ends what was also told before it: a branch that was made
 * and is deleted runs in a circle, and is never certain. An end that turns out to have been wrong is undone. Nobody who
 * has a tracked trigger is asked to stop.
 */
export function judgeTriggers({ triggers, deletion, isCertain }: BranchTriggers): TriggerVerdict[] {
  const isAfter = (end: PushPlace, { position, eventId }: PushPlace) =>
    end.position > position && (isCertain || end.eventId > eventId);
  return groupByTarget(triggers).flatMap((group) =>
    group.flatMap((trigger): TriggerVerdict[] => {
      const { id: triggerId, runType, standing, position } = trigger;
      if (standing === "settled") return [];
      const end = runType === "proposed" ? deletion : null;
      if (standing === "outdated") {
        const isLast = [...group, ...(end === null ? [] : [end])].every(
          (other) => other.position <= position,
        );
        return isLast ? [{ triggerId, kind: "revived" }] : [];
      }
      if (standing === "held" && runType === "tracked") return [];
      const newest = group.at(-1);
      if (isCertain && newest !== undefined && newest.position > position) {
        return [{ triggerId, kind: "superseded", newerId: newest.id }];
      }
      return end !== null && isAfter(end, trigger) ? [{ triggerId, kind: "branch_deleted" }] : [];
    }),
  );
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
