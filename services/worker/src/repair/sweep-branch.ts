import type { BranchState } from "@sluice/domain/branch";
import { branchKey, findBranches, saveBranches, type BranchName } from "@sluice/store/branches";
import type { Database, Store } from "@sluice/store/client";
import { lockRepositories } from "@sluice/store/repositories";
import {
  deleteSuspicion,
  drawArrival,
  findSuspicion,
  hasUndecidedPushes,
  saveBaselines,
  saveSuspicion,
} from "@sluice/store/swept-branches";
import { withTransaction } from "@sluice/store/transaction";

import { judgeHead, type HeadVerdict } from "./judge-head.ts";

/** Judges one look at a branch, and keeps what the next one has to know. */
export async function judgeBranch(
  store: Store,
  look: { readonly branch: BranchName; readonly headSha: string | null; readonly graceMs: number },
): Promise<HeadVerdict> {
  const { branch, headSha, graceMs } = look;
  return withTransaction(store, async (tx) => {
    await lockRepositories(tx, [branch.repositoryId]);
    const known = (await findBranches(tx, [branch])).get(branchKey(branch)) ?? null;
    const verdict = judgeHead({
      headSha,
      known,
      isBeingSettled: known?.chain === "unsure" && (await hasUndecidedPushes(tx, branch)),
      suspicion: await findSuspicion(tx, branch),
      graceMs,
    });
    await keep(tx, { branch, headSha, known }, verdict);
    return verdict;
  });
}

async function keep(
  tx: Database,
  seen: { readonly branch: BranchName; readonly headSha: string | null; readonly known: BranchState | null },
  verdict: HeadVerdict,
): Promise<void> {
  const { branch, headSha, known } = seen;
  switch (verdict.kind) {
    case "unsettled":
      return;
    case "first":
      await saveBranches(tx, [
        { ...branch, headSha, arrivalSequence: await drawArrival(tx), origin: null, chain: "whole" },
      ]);
      break;
    case "same":
      await deleteSuspicion(tx, branch);
      break;
    case "suspected":
      if (verdict.isNew && known !== null) {
        await saveSuspicion(tx, { ...branch, headSha, arrivalSequence: known.arrivalSequence });
      }
      break;
    case "missed":
      break;
  }
  const isKnown = verdict.kind === "first" || verdict.kind === "same" || known === null;
  await saveBaselines(tx, { ...branch, headSha, knownSha: isKnown ? headSha : known.headSha });
}
