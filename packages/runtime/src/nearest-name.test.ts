import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { countEdits, findNearestName } from "./nearest-name.ts";

describe("findNearestName", () => {
  const known = ["SLUICE_DRAIN_TIMEOUT_MS", "SLUICE_QUEUE_URL", "DATABASE_URL"];
  it.each([
    ["SLUICE_DRAIN_TIMEOUT", "SLUICE_DRAIN_TIMEOUT_MS"],
    ["SLUICE_QUEUEURL", "SLUICE_QUEUE_URL"],
    ["DATABSE_URL", "DATABASE_URL"],
    ["PATH", null],
    ["", null],
  ])("of %s is %s", (name, nearest) => {
    expect(findNearestName(name, known)).toBe(nearest);
  });
});

describe("countEdits", () => {
  it("is a distance: zero only for equals, the same both ways, never longer by a detour", () => {
    const word = fc.string({ maxLength: 12 });
    fc.assert(
      fc.property(word, word, word, (a, b, c) => {
        expect(countEdits(a, b) === 0).toBe(a === b);
        expect(countEdits(a, b)).toBe(countEdits(b, a));
        expect(countEdits(a, c)).toBeLessThanOrEqual(countEdits(a, b) + countEdits(b, c));
      }),
    );
  });
});
