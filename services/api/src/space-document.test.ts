import type { SpaceRecord } from "@sluice/store/space-records";
import { describe, expect, test } from "vitest";

import { arrangeSpaces, comparePaths } from "./space-document.ts";

const space = (name: string, parent: string | null): SpaceRecord => ({
  id: `id of ${name}`,
  name,
  parent,
  parentId: parent === null ? null : `id of ${parent}`,
  inheritEntities: true,
  createdAt: "2026-01-01T00:00:00Z",
});

const SPACES = [
  space("root", null),
  space("a", "root"),
  space("a!", "root"),
  space("b", "root"),
  space("z", "a"),
  space("deep", "z"),
  space("c", "b"),
];

describe("spaces in a list", () => {
  test("stand each after its parent, before the next one beside that", () => {
    expect(arrangeSpaces(SPACES, { kind: "everywhere" }).map(({ name }) => name)).toEqual([
      "root",
      "a",
      "z",
      "deep",
      "a!",
      "b",
      "c",
    ]);
  });

  test("say nothing of what is out of reach, the names above them included", () => {
    const reach = { kind: "spaces", spaceIds: ["id of z", "id of deep", "id of c"] } as const;
    const shown = arrangeSpaces(SPACES, reach);
    expect(shown.map(({ name, parent, path }) => ({ name, parent, path }))).toEqual([
      { name: "c", parent: null, path: ["c"] },
      { name: "z", parent: null, path: ["z"] },
      { name: "deep", parent: "z", path: ["z", "deep"] },
    ]);
    expect(JSON.stringify(shown)).not.toContain("root");
  });
});

test.each([
  [["a"], ["a"], 0],
  [["a"], ["a", "b"], -1],
  [["a", "b"], ["a!"], -1],
  [["b"], ["a", "z"], 1],
])("%j beside %j: %i", (a, b, expected) => {
  expect(Math.sign(comparePaths(a, b))).toBe(expected);
  expect(Math.sign(comparePaths(b, a))).toBe(expected === 0 ? 0 : -expected);
});
