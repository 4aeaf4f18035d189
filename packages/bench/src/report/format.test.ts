import { describe, expect, test } from "vitest";
import type { SuiteReport } from "../bench.ts";
import { formatSummary, judgeBars, toTable } from "./format.ts";

const run = (subject: string, round: number, perSecond: number) => ({
  subject,
  round,
  figures: { perSecond },
});

const report: SuiteReport = {
  suite: "ingest",
  title: "",
  subjects: [
    { name: "ours", description: "" },
    { name: "theirs", description: "" },
    { name: "never", description: "" },
  ],
  columns: [{ key: "perSecond", title: "a second", digits: 0 }],
  ratios: [{ title: "× theirs", key: "perSecond", to: "theirs" }],
  bars: [{ title: "twice", key: "perSecond", of: "ours", to: "theirs", atLeast: 2 }],
  measurements: [
    run("ours", 1, 4_000),
    run("theirs", 1, 2_000),
    run("ours", 2, 300),
    run("theirs", 2, 100),
    run("ours", 3, 9_000),
  ],
  voidRuns: [{ subject: "theirs", round: 3, reason: "it lost one" }],
};

test("a row has the median with its extremes, and ratios of the rounds in which both were measured", () => {
  expect(toTable(report)).toEqual([
    ["subject", "a second", "× theirs"],
    ["ours", "4,000 (300–9,000)", "2.50 (2.00–3.00)"],
    ["theirs", "1,050 (100–2,000)", "1.00"],
    ["never", "–", "–"],
  ]);
});

describe("a bar", () => {
  test("is met when the median of the ratios reaches it", () => {
    expect(judgeBars(report)).toMatchObject([{ isMet: true, ratio: { median: 2.5 } }]);
  });

  test("that is a limit is met up to it", () => {
    const limit = { title: "", key: "perSecond", of: "ours", to: "theirs" };
    const bars = [2.5, 2.4].map((atMost) => ({ ...limit, atMost }));
    expect(judgeBars({ ...report, bars })).toMatchObject([{ isMet: true }, { isMet: false }]);
  });

  test("is not met when it was not measured", () => {
    expect(judgeBars({ ...report, measurements: [] })).toMatchObject([{ isMet: false, ratio: null }]);
  });
});

test("a range that rounding makes one number is not shown", () => {
  expect(formatSummary({ median: 1.234, min: 1.231, max: 1.2341 }, 2)).toBe("1.23");
});

test("what rounds to nothing has no sign", () => {
  expect(formatSummary({ median: -0.1, min: -5, max: 0.2 }, 0)).toBe("0 (-5–0)");
});
