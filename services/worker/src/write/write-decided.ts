import { listBranchTriggers } from "@sluice/store/branch-triggers";
import { applyVerdicts } from "@sluice/store/trigger-ends";
import { filterToldAgain } from "@sluice/store/branch-pushes";
import { saveCommitLinks, type CommitLink } from "@sluice/store/commit-links";
import { expandEventSha, markEventsDecided } from "@sluice/store/events";
import { filterUndecided } from "@sluice/store/pending-events";
import { expandPullRequestHead } from "@sluice/store/pull-requests";
import { lockRepositories } from "@sluice/store/repositories";
import { allAnswered, type Transaction } from "@sluice/store/transaction";

import type { DecidedEvent } from "../decide-event.ts";
import { countTriggers, reportsOf, toDrafts } from "./draft.ts";
import { branchesOf, judgeBranches } from "./judge-branches.ts";
import { findReportContext } from "./place-reports.ts";
import { checkDrafts, insertDrafts } from "./write-drafts.ts";

/**
 * Writes decisions and triggers of recorded events, and commits. The lock of their repositories makes looking for
 * duplicates and inserting one step; an event that is decided already changes nothing.
 * @returns how many triggers each event made, in the order given.
 */
export async function writeDecided(tx: Transaction, batch: readonly DecidedEvent[]): Promise<number[]> {
  // 1. The locks; what is undecided is looked at once they are ours, and where pull requests are.
  const [, undecided, context, toldAgain] = await allAnswered([
    lockRepositories(tx, [...new Set(batch.flatMap(({ pending }) => pending.repositoryId ?? []))]),
    filterUndecided(
      tx,
      batch.flatMap(({ pending }) => pending.id),
    ),
    findReportContext(tx, reportsOf(batch)),
    filterToldAgain(
      tx,
      batch.flatMap(({ pending }) => (pending.event.kind === "push" ? pending.id : [])),
    ),
  ]);
  const fresh = eachOnce(batch).flatMap((decided) => {
    const sequence = undecided.get(decided.pending.id);
    return sequence === undefined ? [] : [{ ...decided, pending: { ...decided.pending, sequence } }];
  });
  const freshIds = fresh.map(({ pending }) => pending.id);
  // 2. Against what is there, the triggers are checked.
  const [drafts, branches] = await allAnswered([
    checkDrafts(tx, toDrafts(fresh, context, toldAgain)),
    listBranchTriggers(tx, branchesOf(fresh.map(({ pending }) => pending)), freshIds),
  ]);
  // 3. Everything is written, and COMMIT sent behind it.
  await allAnswered([
    insertDrafts(tx, drafts),
    expandShortShas(tx, fresh),
    saveCommitLinks(tx, fresh.flatMap(toLink)),
    markEventsDecided(tx, freshIds),
    applyVerdicts(tx, judgeBranches(branches, drafts)),
    tx.commit(),
  ]);
  const made = countTriggers(drafts);
  return batch.map(({ pending }) => made.get(pending.id) ?? 0);
}

/** A pull request's head belongs to it. */
function toLink({ pending: { event, repositoryId }, commitSha }: DecidedEvent): CommitLink[] {
  if (event.kind !== "pull_request" || repositoryId === null || commitSha === null) return [];
  return [{ repositoryId, commitSha, number: event.pullRequest.number, source: "event" }];
}

/** Of pull requests too: a held decision is released by what is stored then. */
async function expandShortShas(tx: Transaction, batch: readonly DecidedEvent[]): Promise<void> {
  await allAnswered(
    batch.flatMap(({ pending: { id, event, repositoryId }, commitSha: sha }) => {
      if (sha === null || event.kind === "unsupported") return [];
      const shortSha = event.kind === "push" ? event.newSha : event.pullRequest.source.sha;
      // What a merge comes to is not its source.
      if (shortSha === null || shortSha === sha || !sha.startsWith(shortSha)) return [];
      const expanded = expandEventSha(tx, { id, shortSha, sha });
      if (event.kind === "push" || repositoryId === null) return [expanded];
      const { number } = event.pullRequest;
      return [expanded, expandPullRequestHead(tx, { repositoryId, number, shortSha, sha })];
    }),
  );
}

function eachOnce(batch: readonly DecidedEvent[]): readonly DecidedEvent[] {
  return [...new Map(batch.map((decided) => [decided.pending.id, decided])).values()];
}
