import { describe, expect, it } from "vitest";
import { countChangedLines, splitLines } from "./line-diff.ts";

/** All texts of up to four lines, each line being `a` or `b`. */
function allSmallTexts(): string[] {
  const texts = [""];
  let longest = [""];
  for (let length = 1; length <= 4; length += 1) {
    longest = longest.flatMap((text) => [`${text}a\n`, `${text}b\n`]);
    texts.push(...longest);
  }
  return texts;
}

/** The length of the longest common subsequence, the slow way. */
function countCommon(a: readonly string[], b: readonly string[]): number {
  const [x, ...restOfA] = a;
  const [y, ...restOfB] = b;
  if (x === undefined || y === undefined) return 0;
  if (x === y) return 1 + countCommon(restOfA, restOfB);
  return Math.max(countCommon(restOfA, b), countCommon(a, restOfB));
}

describe("lines added and removed", () => {
  it("leave the longest common subsequence alone, for every pair of small texts", () => {
    for (const before of allSmallTexts()) {
      for (const after of allSmallTexts()) {
        const common = countCommon(splitLines(before), splitLines(after));
        expect({ before, after, ...countChangedLines(before, after) }).toEqual({
          before,
          after,
          added: splitLines(after).length - common,
          removed: splitLines(before).length - common,
        });
      }
    }
  });

  it("count a last line without a newline", () => {
    expect(countChangedLines("", "one\ntwo")).toEqual({ added: 2, removed: 0 });
    expect(countChangedLines("one\n", "")).toEqual({ added: 0, removed: 1 });
  });
});
