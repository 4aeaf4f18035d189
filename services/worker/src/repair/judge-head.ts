import type { BranchState } from "@sluice/domain/branch";
import type { Suspicion } from "@sluice/store/swept-branches";

/**
 * What a look at a branch means (rule 34):
 * - `first`: nothing was known of it, so this is where it begins;
 * - `same`: Bitbucket has it where we do;
 * - `unsettled`: its pushes are being put in order, and Bitbucket is asked for that anyway;
 * - `suspected`: Bitbucket has it elsewhere, and the webhook that says so may still be on its way;
 * - `missed`: it had time enough to come.
 */
export type HeadVerdict =
  | { readonly kind: "first" | "same" | "unsettled" }
  | { readonly kind: "suspected"; readonly isNew: boolean; readonly lookAgainInMs: number }
  | { readonly kind: "missed"; readonly known: BranchState };

/** Judges what Bitbucket says of a branch (`headSha` null: there is none) against what is known and was seen before. */
export function judgeHead(input: {
  readonly headSha: string | null;
  /** Null: no push of the branch was ever recorded, nor a look at it. */
  readonly known: BranchState | null;
  readonly isBeingSettled: boolean;
  readonly suspicion: Suspicion | null;
  readonly graceMs: number;
}): HeadVerdict {
  const { headSha, known, isBeingSettled, suspicion, graceMs } = input;
  if (known === null) return { kind: "first" };
  if (isBeingSettled) return { kind: "unsettled" };
  if (isSameCommit(known.headSha, headSha)) return { kind: "same" };
  const isNew =
    suspicion === null ||
    suspicion.headSha !== headSha ||
    suspicion.arrivalSequence !== known.arrivalSequence;
  const ageMs = isNew ? 0 : suspicion.ageMs;
  if (isNew || ageMs < graceMs) return { kind: "suspected", isNew, lookAgainInMs: graceMs - ageMs };
  return { kind: "missed", known };
}

/** What is known may be a short hash until the event that told it is resolved (rule 12). */
function isSameCommit(known: string | null, head: string | null): boolean {
  return known === null || head === null ? known === head : head.startsWith(known);
}
