import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { createSpaceTree, findCycle, isUsableIn, ROOT_SPACE, type TreeSpace } from "./space-tree.ts";

/** Trees of up to eight spaces: the parent of each is the root or one before it. */
const spaces = fc.array(fc.tuple(fc.nat(), fc.boolean()), { maxLength: 8 }).map((entries) =>
  entries.map<TreeSpace>(([parent, inheritEntities], index) => {
    const at = parent % (index + 1);
    return {
      name: `s${String(index)}`,
      parent: at === 0 ? ROOT_SPACE : `s${String(at - 1)}`,
      inheritEntities,
    };
  }),
);

const names = (list: readonly TreeSpace[]) => [ROOT_SPACE, ...list.map(({ name }) => name)];

describe("the tree of spaces", () => {
  test("has no circle while each space is made below one that was there", () => {
    fc.assert(
      fc.property(spaces, (list) => {
        const tree = createSpaceTree(list);
        for (const name of names(list)) expect(findCycle(tree, name)).toBeNull();
      }),
    );
  });

  test("shows the circle that a space comes into by moving below its own descendant", () => {
    const tree = createSpaceTree([
      { name: "a", parent: "c", inheritEntities: false },
      { name: "b", parent: "a", inheritEntities: false },
      { name: "c", parent: "b", inheritEntities: false },
      { name: "d", parent: "c", inheritEntities: false },
    ]);
    expect(findCycle(tree, "a")).toEqual(["a", "c", "b", "a"]);
    expect(findCycle(tree, "d")).toBeNull();
    expect(isUsableIn(tree, ROOT_SPACE, "a")).toBe(false);
  });
});

describe("what a space holds", () => {
  test("can be used in the space itself, and what the account holds everywhere", () => {
    fc.assert(
      fc.property(spaces, (list) => {
        const tree = createSpaceTree(list);
        for (const name of names(list)) {
          expect(isUsableIn(tree, name, name)).toBe(true);
          expect(isUsableIn(tree, null, name)).toBe(true);
        }
      }),
    );
  });

  test("can be used in a child exactly when the child inherits and it can be used in the parent", () => {
    fc.assert(
      fc.property(spaces, (list) => {
        const tree = createSpaceTree(list);
        for (const owner of names(list)) {
          for (const { name, parent, inheritEntities } of list) {
            const isUsable = name === owner || (inheritEntities && isUsableIn(tree, owner, parent ?? ""));
            expect(isUsableIn(tree, owner, name)).toBe(isUsable);
          }
        }
      }),
    );
  });

  test("cannot be used in a space that there is not", () => {
    expect(isUsableIn(createSpaceTree([]), ROOT_SPACE, "nowhere")).toBe(false);
  });
});
