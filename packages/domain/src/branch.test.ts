import fc from "fast-check";
import { expect, test } from "vitest";

import { moveBranch, placePush, type BranchState, type RecordedPush } from "./branch.ts";
import { isDuplicate } from "./duplicate.ts";

const SHAS = ["a", "b", "c"].map((letter) => letter.repeat(40));

test("a second report of the same head is the same arrival; a return to a commit is a new one (rule 26)", () => {
  const first = moveBranch(null, { newSha: SHAS[0]!, sequence: 1 });
  expect(moveBranch(first, { newSha: SHAS[0]!, sequence: 2 })).toBe(first);
  const away = moveBranch(first, { newSha: SHAS[1]!, sequence: 3 });
  expect(moveBranch(away, { newSha: SHAS[0]!, sequence: 4 })).toEqual({
    headSha: SHAS[0],
    arrivalSequence: 4,
  });
});

test("a deleted branch that comes back to its commit arrives anew (rule 26)", () => {
  const first = moveBranch(null, { newSha: SHAS[0]!, sequence: 1 });
  const gone = moveBranch(first, { newSha: null, sequence: 2 });
  const back = moveBranch(gone, { newSha: SHAS[0]!, sequence: 3 });
  const earlier = { commitSha: SHAS[0]!, branchArrival: first.arrivalSequence };
  const again = { commitSha: SHAS[0]!, branchArrival: back.arrivalSequence };
  expect(isDuplicate(earlier, again, back)).toBe(false);
});

test("a commit on a second branch is a duplicate for as long as the first branch stays there (rule 26)", () => {
  const earlier = { commitSha: SHAS[0]!, branchArrival: 1 };
  const onSecond = { commitSha: SHAS[0]!, branchArrival: 5 };
  expect(isDuplicate(earlier, onSecond, { headSha: SHAS[0]!, arrivalSequence: 1 })).toBe(true);
  expect(isDuplicate(earlier, onSecond, { headSha: SHAS[1]!, arrivalSequence: 4 })).toBe(false);
  expect(isDuplicate(earlier, onSecond, { headSha: SHAS[0]!, arrivalSequence: 4 })).toBe(false);
  expect(isDuplicate(earlier, { ...onSecond, commitSha: SHAS[1]! }, null)).toBe(false);
});

test("over any history: exactly the reports that change the head are arrivals", () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...SHAS, null)), (heads) => {
      let state: BranchState | null = null;
      heads.forEach((newSha, index) => {
        const before: BranchState | null = state;
        state = moveBranch(before, { newSha, sequence: index });
        expect(state.headSha).toBe(newSha);
        const moved = before === null || before.headSha !== newSha;
        expect(state.arrivalSequence === index).toBe(moved);
      });
    }),
  );
});

const aRecorded = (oldSha: string, newSha: string, sequence: number): RecordedPush => ({
  oldSha,
  newSha,
  sequence,
  branchArrival: sequence,
});

test("a push belongs next, or before the one that went on from it, or was said before (rule 14)", () => {
  const [a, b, c] = [SHAS[0]!, SHAS[1]!, SHAS[2]!];
  const atC: BranchState = { headSha: c, arrivalSequence: 2 };
  const bToC = aRecorded(b, c, 2);
  const aToB = aRecorded(a, b, 1);
  expect(placePush({ oldSha: c, newSha: b }, atC, [bToC, aToB])).toEqual({ kind: "next" });
  expect(placePush({ oldSha: a, newSha: b }, atC, [bToC])).toEqual({ kind: "late", before: bToC });
  expect(placePush({ oldSha: a, newSha: b }, atC, [bToC, aToB])).toEqual({ kind: "repeated", push: aToB });
  expect(placePush({ oldSha: b, newSha: c }, atC, [bToC])).toEqual({ kind: "next" });
  expect(placePush({ oldSha: null, newSha: b }, atC, [bToC])).toEqual({ kind: "next" });
  expect(placePush({ oldSha: a, newSha: b }, { ...atC, headSha: null }, [bToC])).toEqual({ kind: "next" });
  expect(placePush({ oldSha: a, newSha: b }, atC, [])).toEqual({ kind: "next" });
});
