import type { Database } from "@sluice/store/client";
import { findLaterTracked, lockOutClaims } from "@sluice/store/triggers";

import type { Draft } from "./mark-duplicates.ts";

/**
 * Turns the tracked trigger of a late push into a `stale` decision once a later commit of its target was handed out: to
 * run it then would roll the target back (rule 14). Until then it is made, and claimed before the later ones.
 */
export async function markStale(tx: Database, drafts: readonly Draft[]): Promise<Draft[]> {
  const tracked = drafts.flatMap(({ trigger }) => (trigger?.runType === "tracked" ? [trigger] : []));
  if (tracked.length === 0 || (await findLaterTracked(tx, tracked)).length === 0) return [...drafts];
  // From here to the commit nobody may take the later one, or the answer would be out of date.
  await lockOutClaims(tx);
  const handedOut = (await findLaterTracked(tx, tracked)).filter(({ wasHandedOut }) => wasHandedOut);
  return drafts.map((draft) => {
    const { decision, trigger } = draft;
    const later = handedOut.find(
      ({ targetId, position }) => trigger?.targetId === targetId && trigger.position === position,
    );
    if (later === undefined || trigger?.runType !== "tracked") return draft;
    const evidence = { ...decision.evidence, overtakenBy: { triggerId: later.triggerId } };
    return {
      decision: { ...decision, outcome: "ignore", runType: null, reason: "stale", evidence },
      trigger: null,
    };
  });
}
