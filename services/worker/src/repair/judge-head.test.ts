import type { BranchState } from "@sluice/domain/branch";
import type { Suspicion } from "@sluice/store/swept-branches";
import { describe, expect, test } from "vitest";

import { judgeHead } from "./judge-head.ts";

const A = "a".repeat(40);
const B = "b".repeat(40);
const GRACE_MS = 120_000;

const known = (headSha: string | null, change: Partial<BranchState> = {}): BranchState => ({
  headSha,
  arrivalSequence: 7,
  origin: null,
  chain: "whole",
  ...change,
});
const suspected = (headSha: string | null, ageMs: number, arrivalSequence = 7): Suspicion => ({
  headSha,
  ageMs,
  arrivalSequence,
});
const judge = (change: Partial<Parameters<typeof judgeHead>[0]>) =>
  judgeHead({
    headSha: B,
    known: known(A),
    isBeingSettled: false,
    suspicion: null,
    graceMs: GRACE_MS,
    ...change,
  });

describe("a head that Bitbucket tells (rule 34)", () => {
  test("begins a branch of which nothing is known, also one that is not there", () => {
    expect(judge({ known: null })).toEqual({ kind: "first" });
    expect(judge({ known: null, headSha: null })).toEqual({ kind: "first" });
  });

  test.each([
    ["the same commit", A, A],
    ["the commit of a short hash", A.slice(0, 12), A],
    ["no branch on either side", null, null],
  ])("is the one that is known: %s", (_, ours, theirs) => {
    expect(judge({ known: known(ours), headSha: theirs, suspicion: suspected(B, 1e9) })).toEqual({
      kind: "same",
    });
  });

  test.each([
    ["another commit", A, B],
    ["a branch that is gone", A, null],
    ["a branch that is back", null, B],
  ])("that is another, %s, is suspected first, and missed once the grace is over", (_, ours, theirs) => {
    const look = { known: known(ours), headSha: theirs };
    expect(judge(look)).toEqual({ kind: "suspected", isNew: true, lookAgainInMs: GRACE_MS });
    expect(judge({ ...look, suspicion: suspected(theirs, GRACE_MS - 1) })).toEqual({
      kind: "suspected",
      isNew: false,
      lookAgainInMs: 1,
    });
    expect(judge({ ...look, suspicion: suspected(theirs, GRACE_MS) })).toEqual({
      kind: "missed",
      known: known(ours),
    });
  });

  test("is suspected anew when it has moved on, or when a push of the branch has come", () => {
    const anew = { kind: "suspected", isNew: true, lookAgainInMs: GRACE_MS };
    expect(judge({ suspicion: suspected("c".repeat(40), 1e9) })).toEqual(anew);
    expect(judge({ suspicion: suspected(B, 1e9, 6) })).toEqual(anew);
  });

  test("without a grace is suspected once all the same", () => {
    expect(judge({ graceMs: 0 }).kind).toBe("suspected");
    expect(judge({ graceMs: 0, suspicion: suspected(B, 0) }).kind).toBe("missed");
  });

  test("says nothing while the branch's pushes are being put in order", () => {
    expect(judge({ isBeingSettled: true, suspicion: suspected(B, 1e9) })).toEqual({ kind: "unsettled" });
  });
});
