import type { Database } from "@sluice/store/client";
import { insertDecisions } from "@sluice/store/decisions";
import { allAnswered } from "@sluice/store/transaction";
import { insertTriggers } from "@sluice/store/triggers";

import { findModuleVersions, refuseModuleVersions } from "./check-module-versions.ts";
import { withTriggerId, type Draft, type NamedDraft } from "./draft.ts";
import { markDuplicates } from "./mark-duplicates.ts";
import { findLater, markStale } from "./mark-stale.ts";

/**
 * Finds out which of the triggers are to be made: not the duplicates, not the stale, and no module's version that was given
 * before. One wait for Postgres, unless a late push is among them. The caller holds the locks of the repositories.
 */
export async function checkDrafts(tx: Database, drafts: readonly Draft[]): Promise<NamedDraft[]> {
  const [unique, later, versions] = await allAnswered([
    markDuplicates(tx, drafts),
    findLater(tx, drafts),
    findModuleVersions(tx, drafts),
  ]);
  return refuseModuleVersions(await markStale(tx, unique, later), versions);
}

/** Inserts what `checkDrafts` has left of them, in one flight. */
export async function insertDrafts(tx: Database, drafts: readonly NamedDraft[]): Promise<void> {
  await allAnswered([
    insertTriggers(
      tx,
      drafts.flatMap(({ trigger }) => trigger ?? []),
    ),
    insertDecisions(tx, drafts.map(withTriggerId)),
  ]);
}
