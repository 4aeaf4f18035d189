import { describe, expect, test } from "vitest";
import { median, pairedRatio, percentile, steadyRate, summarise } from "./statistics.ts";

describe("median", () => {
  test("is the middle value, whatever the order, and the mean of two middle ones", () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 3, 2])).toBe(2.5);
    expect(median([7])).toBe(7);
  });

  test("of nothing is refused, and not a NaN that spreads", () => {
    expect(() => median([])).toThrow(RangeError);
    expect(() => summarise([])).toThrow(RangeError);
  });
});

test("a summary has the extremes around the median", () => {
  expect(summarise([5, 1, 3])).toEqual({ median: 3, min: 1, max: 5 });
});

describe("percentile", () => {
  const hundred = Array.from({ length: 100 }, (_, index) => index + 1);

  test("is the nearest rank: the 50th and the 99th of a hundred", () => {
    expect(percentile(hundred, 0.5)).toBe(50);
    expect(percentile(hundred, 0.99)).toBe(99);
    expect(percentile(hundred, 1)).toBe(100);
    expect(percentile(hundred, 0)).toBe(1);
  });

  test("of few values is one of them, and of none 0", () => {
    expect(percentile([2, 9], 0.5)).toBe(2);
    expect(percentile([2, 9], 0.51)).toBe(9);
    expect(percentile([], 0.5)).toBe(0);
  });
});

describe("a ratio", () => {
  test("compares the values of one round with each other before it looks for the middle", () => {
    // The second round was slow for both: the ratio does not notice.
    expect(pairedRatio([20, 2, 10], [10, 1, 5])).toEqual({ median: 2, min: 2, max: 2 });
  });

  test("of series that do not belong together is refused", () => {
    expect(() => pairedRatio([1], [1, 2])).toThrow(RangeError);
  });
});

describe("the steady rate", () => {
  test.each([1, 7, 50])("of events every %d ms is one by that, whatever their number", (distanceMs) => {
    for (const count of [20, 33, 500]) {
      const times = Array.from({ length: count }, (_, index) => index * distanceMs);
      expect(steadyRate(times)).toBeCloseTo(1_000 / distanceMs, 6);
    }
  });

  test("does not see a slow start or a slow end", () => {
    const times = [0, ...Array.from({ length: 98 }, (_, index) => 5_000 + index * 10), 60_000];
    expect(steadyRate(times)).toBeCloseTo(100, 6);
  });

  test("counts whole commits: a hundred at once every second are a hundred a second", () => {
    const times = Array.from({ length: 2_000 }, (_, index) => Math.floor(index / 100) * 1_000);
    expect(steadyRate(times)).toBeCloseTo(100, 6);
  });

  test("of one commit, or of nothing, cannot be told", () => {
    expect(steadyRate([5, 5, 5])).toBe(0);
    expect(steadyRate([])).toBe(0);
  });
});
