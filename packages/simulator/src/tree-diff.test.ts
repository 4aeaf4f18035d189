import { describe, expect, it } from "vitest";
import { diffTrees } from "./tree-diff.ts";

const tree = (files: Record<string, string>): Map<string, string> => new Map(Object.entries(files));
const BODY = Array.from({ length: 10 }, (_, line) => `line ${line}\n`).join("");

describe("the difference of two trees", () => {
  it("names added, removed and modified files in the order of their paths", () => {
    const diffs = diffTrees(
      tree({ b: "1\n", c: "1\n", same: "1\n" }),
      tree({ a: "2\n3\n", c: "2\n", same: "1\n" }),
    );
    expect(diffs).toEqual([
      { status: "added", oldPath: null, newPath: "a", linesAdded: 2, linesRemoved: 0 },
      { status: "removed", oldPath: "b", newPath: null, linesAdded: 0, linesRemoved: 1 },
      { status: "modified", oldPath: "c", newPath: "c", linesAdded: 1, linesRemoved: 1 },
    ]);
  });

  it("sees a file that moved as one rename", () => {
    expect(diffTrees(tree({ "old/main.tf": BODY }), tree({ "new/main.tf": BODY }))).toEqual([
      { status: "renamed", oldPath: "old/main.tf", newPath: "new/main.tf", linesAdded: 0, linesRemoved: 0 },
    ]);
  });

  it("sees a file that moved and changed a little as one rename", () => {
    const [diff, ...others] = diffTrees(tree({ old: BODY }), tree({ new: `${BODY}one more\n` }));
    expect(diff).toMatchObject({
      status: "renamed",
      oldPath: "old",
      newPath: "new",
      linesAdded: 1,
      linesRemoved: 0,
    });
    expect(others).toEqual([]);
  });

  it("pairs identical files before similar ones", () => {
    const diffs = diffTrees(tree({ x: BODY }), tree({ a: `${BODY}more\n`, b: BODY }));
    expect(diffs.map((diff) => [diff.status, diff.oldPath, diff.newPath])).toEqual([
      ["added", null, "a"],
      ["renamed", "x", "b"],
    ]);
  });

  it("sees no rename between files that share less than half, between empty ones, or when told not to look", () => {
    const statuses = (before: string, after: string, renames = true): string[] =>
      diffTrees(tree({ old: before }), tree({ new: after }), { renames }).map((diff) => diff.status);
    expect(statuses("a\nb\nc\n", "a\nx\ny\n")).toEqual(["added", "removed"]);
    expect(statuses("", "")).toEqual(["added", "removed"]);
    expect(statuses(BODY, BODY, false)).toEqual(["added", "removed"]);
  });

  it("is empty for equal trees", () => {
    expect(diffTrees(tree({ a: BODY }), tree({ a: BODY }))).toEqual([]);
  });
});
