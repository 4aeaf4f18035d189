/** Which spaces hold what: the tree, and what a child may use of its ancestors. */

/** A space as the tree sees it; `parent` is null for the root alone. */
export interface TreeSpace {
  readonly name: string;
  readonly parent: string | null;
  readonly inheritEntities: boolean;
}

/** The space that is always there. */
export const ROOT_SPACE = "root";

/** Spaces by name. */
export type SpaceTree = ReadonlyMap<string, TreeSpace>;

/** The tree of these spaces, under the root. */
export function createSpaceTree(spaces: readonly TreeSpace[]): SpaceTree {
  const root: TreeSpace = { name: ROOT_SPACE, parent: null, inheritEntities: false };
  return new Map([root, ...spaces].map((space) => [space.name, space]));
}

/** The names of a circle of parents that `name` is on, from it back to it; null when its parents end. */
export function findCycle(tree: SpaceTree, name: string): readonly string[] | null {
  const seen = new Set([name]);
  let current = tree.get(name)?.parent ?? null;
  while (current !== null && !seen.has(current)) {
    seen.add(current);
    current = tree.get(current)?.parent ?? null;
  }
  return current === name ? [...seen, name] : null;
}

/**
 * Whether what `owner` holds can be used in `space`: there, and below it through an unbroken chain of inheritance.
 * `owner` null: the account as a whole, whose default integration can be used everywhere (rule 2).
 */
export function isUsableIn(tree: SpaceTree, owner: string | null, space: string): boolean {
  if (owner === null) return true;
  const seen = new Set<string>();
  let current = space;
  while (current !== owner) {
    const { parent, inheritEntities } = tree.get(current) ?? { parent: null, inheritEntities: false };
    if (parent === null || !inheritEntities || seen.has(current)) return false;
    seen.add(current);
    current = parent;
  }
  return true;
}
