import { describe, expect, it } from "vitest";
import { mergeTrees } from "./tree-merge.ts";

const tree = (files: Record<string, string>): Map<string, string> => new Map(Object.entries(files));

describe("a three-way merge", () => {
  it("brings their additions, changes and deletions and keeps ours", () => {
    const base = tree({ changed: "1", gone: "1", ours: "1" });
    const merged = mergeTrees(
      base,
      tree({ changed: "1", gone: "1", ours: "2" }),
      tree({ changed: "3", ours: "1", new: "1" }),
    );
    expect(Object.fromEntries(merged)).toEqual({ changed: "3", ours: "2", new: "1" });
  });

  it("takes a change that both made", () => {
    expect(Object.fromEntries(mergeTrees(tree({ a: "1" }), tree({ a: "2" }), tree({ a: "2" })))).toEqual({
      a: "2",
    });
  });

  it("refuses a file that both changed differently, deletions included", () => {
    const base = tree({ a: "1" });
    expect(() => mergeTrees(base, tree({ a: "2" }), tree({ a: "3" }))).toThrow(/both sides changed a/);
    expect(() => mergeTrees(base, tree({ a: "2" }), tree({}))).toThrow(/both sides changed a/);
  });
});
