import { compileGlob, literalStart } from "./glob.ts";
import { trimSlashes } from "./target.ts";

/** What made a file concern a target: the folder or the glob, and the file. */
export interface PathMatch {
  readonly path: string;
  readonly rule: { readonly kind: "project_root" | "project_glob"; readonly value: string };
}

/** A list of paths, asked once for each target: what is asked twice is looked for once. */
interface PathIndex {
  /** Places in the list, in any order. */
  under(root: string): readonly number[];
  matching(glob: string): readonly number[];
}

interface IndexedPath {
  /** Ends with a slash, so that a folder is found by its name and a slash, itself included. */
  readonly text: string;
  readonly place: number;
}

const NOWHERE: readonly number[] = [];
const NO_MATCH = { matches: [], total: 0 } as const;

/** All targets of a push are compared with one list, which nobody changes: it is indexed for the first, and for all. */
const indexes = new WeakMap<readonly string[], PathIndex>();

/**
 * The first `limit` files that concern a target, in the order given, and how many do in all. A file does under the root,
 * on a path boundary (`infra` does not hold `infra2/x`), or when a glob matches it as doublestar would: `**`, `*` within
 * one level, `?`, `[a-z]`, `{a,b}` (rule 18). An empty root holds every file.
 *
 * Takes time for the files that begin as the root and the globs do, not for all: a push of 200 files to a repository
 * with 10,000 targets would be 2,000,000 comparisons.
 * @throws GlobInvalidError for a glob that is not valid, once a file begins as it does.
 */
export function matchPaths(
  target: { readonly projectRoot: string; readonly projectGlobs: readonly string[] },
  paths: readonly string[],
  limit: number,
): { readonly matches: readonly PathMatch[]; readonly total: number } {
  const index = indexOf(paths);
  const root = trimSlashes(target.projectRoot);
  const rules = new Map<number, PathMatch["rule"]>();
  give(rules, index.under(root), "project_root", root);
  for (const glob of target.projectGlobs) give(rules, index.matching(glob), "project_glob", glob);
  if (rules.size === 0) return NO_MATCH;
  const first = [...rules].toSorted(([a], [b]) => a - b).slice(0, limit);
  return { matches: first.map(([place, rule]) => ({ path: paths[place] ?? "", rule })), total: rules.size };
}

/** To places that have no rule yet. */
function give(
  rules: Map<number, PathMatch["rule"]>,
  places: readonly number[],
  kind: PathMatch["rule"]["kind"],
  value: string,
): void {
  if (places.length === 0) return;
  const rule = { kind, value };
  for (const place of places) if (!rules.has(place)) rules.set(place, rule);
}

function indexOf(paths: readonly string[]): PathIndex {
  const known = indexes.get(paths);
  if (known !== undefined) return known;
  const made = createPathIndex(paths);
  indexes.set(paths, made);
  return made;
}

function createPathIndex(paths: readonly string[]): PathIndex {
  const trimmed = paths.map(trimSlashes);
  const sorted = trimmed.map((path, place) => ({ text: `${path}/`, place })).toSorted(byText);
  const matched = new Map<string, readonly number[]>();
  return {
    under: (root) => beginningWith(sorted, root === "" ? "" : `${root}/`),
    matching(glob) {
      const known = matched.get(glob);
      if (known !== undefined) return known;
      const places = filterByGlob(trimmed, beginningWith(sorted, literalStart(glob)), glob);
      matched.set(glob, places);
      return places;
    },
  };
}

/** Most globs of a large repository begin like no file of a push: those are not even compiled. */
function filterByGlob(
  paths: readonly string[],
  candidates: readonly number[],
  glob: string,
): readonly number[] {
  if (candidates.length === 0) return NOWHERE;
  const matches = compileGlob(glob);
  return candidates.filter((place) => matches(paths[place] ?? ""));
}

/** By code units, as `startsWith` compares, so that what begins alike is side by side. */
function byText(a: IndexedPath, b: IndexedPath): number {
  if (a.text === b.text) return 0;
  return a.text < b.text ? -1 : 1;
}

function beginningWith(sorted: readonly IndexedPath[], prefix: string): readonly number[] {
  const start = firstNotBefore(sorted, prefix);
  let end = start;
  while (sorted[end]?.text.startsWith(prefix) === true) end += 1;
  if (start === end) return NOWHERE;
  return sorted.slice(start, end).map(({ place }) => place);
}

function firstNotBefore(sorted: readonly IndexedPath[], text: string): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle]?.text ?? "") < text) low = middle + 1;
    else high = middle;
  }
  return low;
}
