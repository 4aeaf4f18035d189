import type { Database } from "@sluice/store/client";
import { findLaterTracked, lockOutClaims, type LaterTrigger } from "@sluice/store/triggers";

import type { Draft, NamedDraft } from "./draft.ts";

/** Tracked triggers at later positions than those that the drafts ask for; without a late push there is none. */
export async function findLater(tx: Database, drafts: readonly Draft[]): Promise<LaterTrigger[]> {
  const tracked = drafts.flatMap(({ trigger }) => (trigger?.runType === "tracked" ? [trigger] : []));
  return tracked.length === 0 ? [] : findLaterTracked(tx, tracked);
}

/**
 * Turns the tracked trigger of a late push into a `stale` decision once a later commit of its target was handed out: to
 * run it then would roll the target back (rule 14). Until then it is made, and claimed before the later ones. `later`: as
 * `findLater` found them.
 */
export async function markStale(
  tx: Database,
  drafts: readonly NamedDraft[],
  later: readonly LaterTrigger[],
): Promise<NamedDraft[]> {
  if (drafts.every((draft) => overtaking(draft, later) === undefined)) return [...drafts];
  // From here to the commit nobody may take the later one, or the answer would be out of date.
  await lockOutClaims(tx);
  const handedOut = (await findLater(tx, drafts)).filter(({ wasHandedOut }) => wasHandedOut);
  return drafts.map((draft) => {
    const overtaker = overtaking(draft, handedOut);
    if (overtaker === undefined) return draft;
    const evidence = { ...draft.decision.evidence, overtakenBy: { triggerId: overtaker.triggerId } };
    return {
      ...draft,
      decision: { ...draft.decision, outcome: "ignore", runType: null, reason: "stale", evidence },
      trigger: null,
    };
  });
}

function overtaking({ trigger }: Draft, later: readonly LaterTrigger[]): LaterTrigger | undefined {
  if (trigger?.runType !== "tracked") return undefined;
  return later.find(
    ({ targetId, position }) => trigger.targetId === targetId && trigger.position === position,
  );
}
