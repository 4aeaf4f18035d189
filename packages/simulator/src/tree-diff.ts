/** What changed between two file trees, with renames found as git finds them. */
import type { FileTree } from "./commit.ts";
import { countChangedLines, splitLines } from "./line-diff.ts";

/** git's default for `-M`: files that share at least half are one file renamed. */
const RENAME_SIMILARITY = 0.5;
/** git's rename limit, as pairs: beyond it only exact renames are found. */
const MAX_COMPARED_PAIRS = 10_000;

/** One changed file. `oldPath` is null for an added file, `newPath` for a removed one. */
export interface FileDiff {
  readonly status: "added" | "removed" | "modified" | "renamed";
  readonly oldPath: string | null;
  readonly newPath: string | null;
  readonly linesAdded: number;
  readonly linesRemoved: number;
}

/** Changes that lead from `before` to `after`, ordered by path. `renames: false` gives pairs of removed and added. */
export function diffTrees(
  before: FileTree,
  after: FileTree,
  options: { renames?: boolean } = {},
): FileDiff[] {
  const removed = [...before.keys()].filter((path) => !after.has(path)).toSorted();
  const added = [...after.keys()].filter((path) => !before.has(path)).toSorted();
  const modified = [...after.keys()].filter(
    (path) => before.has(path) && before.get(path) !== after.get(path),
  );
  const renames =
    options.renames === false ? new Map<string, string>() : findRenames(before, after, { removed, added });
  const renamedTo = new Set(renames.values());

  const describe = (status: FileDiff["status"], oldPath: string | null, newPath: string | null): FileDiff => {
    const counts = countChangedLines(
      oldPath === null ? "" : (before.get(oldPath) ?? ""),
      newPath === null ? "" : (after.get(newPath) ?? ""),
    );
    return { status, oldPath, newPath, linesAdded: counts.added, linesRemoved: counts.removed };
  };
  const diffs = [
    ...modified.map((path) => describe("modified", path, path)),
    ...[...renames].map(([from, to]) => describe("renamed", from, to)),
    ...removed.filter((path) => !renames.has(path)).map((path) => describe("removed", path, null)),
    ...added.filter((path) => !renamedTo.has(path)).map((path) => describe("added", null, path)),
  ];
  return diffs.toSorted((a, b) => (pathOf(a) < pathOf(b) ? -1 : 1));
}

function pathOf(diff: FileDiff): string {
  return diff.newPath ?? diff.oldPath ?? "";
}

/** Old path → new path: identical files first, then the most similar ones. */
function findRenames(
  before: FileTree,
  after: FileTree,
  paths: { readonly removed: readonly string[]; readonly added: readonly string[] },
): Map<string, string> {
  const renames = new Map<string, string>();
  const taken = new Set<string>();
  const pair = (from: string, to: string): void => {
    if (renames.has(from) || taken.has(to)) return;
    renames.set(from, to);
    taken.add(to);
  };
  for (const from of paths.removed) {
    // An empty file is like every other empty file: git does not pair those either.
    const content = before.get(from) ?? "";
    const to = paths.added.find((path) => !taken.has(path) && after.get(path) === content);
    if (content !== "" && to !== undefined) pair(from, to);
  }

  const removed = paths.removed.filter((path) => !renames.has(path));
  const added = paths.added.filter((path) => !taken.has(path));
  if (removed.length * added.length > MAX_COMPARED_PAIRS) return renames;
  const candidates = removed.flatMap((from) =>
    added.map((to) => ({ from, to, similarity: similarity(before.get(from) ?? "", after.get(to) ?? "") })),
  );
  for (const candidate of candidates.toSorted((a, b) => b.similarity - a.similarity)) {
    if (candidate.similarity >= RENAME_SIMILARITY) pair(candidate.from, candidate.to);
  }
  return renames;
}

/** The share of the larger file, in characters, that both have as equal lines: 0 to 1. */
function similarity(a: string, b: string): number {
  const larger = Math.max(a.length, b.length);
  if (larger === 0) return 0;
  const lines = new Map<string, number>();
  for (const line of splitLines(a)) lines.set(line, (lines.get(line) ?? 0) + 1);
  let shared = 0;
  for (const line of splitLines(b)) {
    const left = lines.get(line) ?? 0;
    if (left === 0) continue;
    lines.set(line, left - 1);
    shared += line.length + 1;
  }
  return Math.min(1, shared / larger);
}
