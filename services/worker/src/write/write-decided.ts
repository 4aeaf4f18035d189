import { applyVerdicts, listBranchTriggers } from "@sluice/store/branch-triggers";
import { expandEventSha, filterUndecided, markEventsDecided } from "@sluice/store/events";
import { lockRepositories } from "@sluice/store/repositories";
import { allAnswered, type Transaction } from "@sluice/store/transaction";

import type { DecidedEvent } from "../decide-event.ts";
import { countTriggers, toDrafts } from "./draft.ts";
import { branchesOf, judgeBranches } from "./judge-branches.ts";
import { checkDrafts, insertDrafts } from "./write-drafts.ts";

/**
 * Writes decisions and triggers of recorded events, and commits. The lock of their repositories makes looking for
 * duplicates and inserting one step; an event that is decided already changes nothing.
 * @returns how many triggers each event made, in the order given.
 */
export async function writeDecided(tx: Transaction, batch: readonly DecidedEvent[]): Promise<number[]> {
  // 1. The locks; what is undecided is looked at once they are ours.
  const [, undecided] = await allAnswered([
    lockRepositories(tx, [...new Set(batch.flatMap(({ pending }) => pending.repositoryId ?? []))]),
    filterUndecided(
      tx,
      batch.flatMap(({ pending }) => pending.id),
    ),
  ]);
  const fresh = eachOnce(batch).flatMap((decided) => {
    const sequence = undecided.get(decided.pending.id);
    return sequence === undefined ? [] : [{ ...decided, pending: { ...decided.pending, sequence } }];
  });
  const freshIds = fresh.map(({ pending }) => pending.id);
  // 2. Against what is there, the triggers are checked.
  const [drafts, branches] = await allAnswered([
    checkDrafts(tx, toDrafts(fresh)),
    listBranchTriggers(tx, branchesOf(fresh.map(({ pending }) => pending)), freshIds),
  ]);
  // 3. Everything is written, and COMMIT sent behind it.
  await allAnswered([
    insertDrafts(tx, drafts),
    expandShortShas(tx, fresh),
    markEventsDecided(tx, freshIds),
    applyVerdicts(tx, judgeBranches(branches, drafts)),
    tx.commit(),
  ]);
  const made = countTriggers(drafts);
  return batch.map(({ pending }) => made.get(pending.id) ?? 0);
}

async function expandShortShas(tx: Transaction, batch: readonly DecidedEvent[]): Promise<void> {
  await allAnswered(
    batch.flatMap(({ pending: { id, event }, commitSha }) =>
      event.kind === "push" && commitSha !== null && event.newSha !== null && event.newSha !== commitSha
        ? [expandEventSha(tx, { id, shortSha: event.newSha, sha: commitSha })]
        : [],
    ),
  );
}

function eachOnce(batch: readonly DecidedEvent[]): readonly DecidedEvent[] {
  return [...new Map(batch.map((decided) => [decided.pending.id, decided])).values()];
}
