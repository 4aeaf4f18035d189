import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { isDuplicate, type TriggerArrival } from "./duplicate.ts";

const SHA = "b".repeat(40);

const aTrigger = (branchArrival: number, more: Partial<TriggerArrival> = {}): TriggerArrival => ({
  commitSha: SHA,
  repositoryId: "ours",
  refName: "feature",
  branchArrival,
  ...more,
});

const AWAITS = { awaitsPush: true } as const;
const at = (arrivalSequence: number, headSha = SHA) => ({ headSha, arrivalSequence });

describe("a commit that a pull request tells before its push (rule 26)", () => {
  test("is run once for all reports of one arrival, and again once the head went away and came back", () => {
    expect(isDuplicate(aTrigger(5, AWAITS), aTrigger(5, AWAITS), null)).toBe(true);
    expect(isDuplicate(aTrigger(5, AWAITS), aTrigger(9, AWAITS), null)).toBe(false);
    expect(isDuplicate(aTrigger(5, AWAITS), aTrigger(9, AWAITS), at(9))).toBe(false);
  });

  test("is run once for two pull requests of one branch, while the first is still there", () => {
    expect(isDuplicate(aTrigger(5, AWAITS), aTrigger(7, AWAITS), at(5))).toBe(true);
  });

  test("runs again on a return after its push took it over", () => {
    expect(isDuplicate(aTrigger(6), aTrigger(9, AWAITS), at(6))).toBe(false);
    expect(isDuplicate(aTrigger(6), aTrigger(9), at(9))).toBe(false);
  });
});

const arrivals = fc.record({
  commitSha: fc.constantFrom(SHA, "c".repeat(40)),
  repositoryId: fc.constantFrom("ours", "fork"),
  refName: fc.constantFrom("feature", "main"),
  branchArrival: fc.integer({ min: 1, max: 3 }),
  awaitsPush: fc.boolean(),
});
const states = fc.option(
  fc.record({
    headSha: fc.constantFrom(SHA, "c".repeat(40), null),
    arrivalSequence: fc.integer({ min: 1, max: 3 }),
  }),
);

test("a trigger repeats itself, and never one of another commit", () => {
  fc.assert(
    fc.property(arrivals, arrivals, states, (earlier, candidate, state) => {
      const isRepeated = isDuplicate(earlier, candidate, state);
      expect(isDuplicate(earlier, earlier, state)).toBe(true);
      expect(isRepeated && earlier.commitSha !== candidate.commitSha).toBe(false);
    }),
  );
});
