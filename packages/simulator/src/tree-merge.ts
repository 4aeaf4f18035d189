/** The three-way merge of file trees, file by file. */
import type { FileTree } from "./commit.ts";
import { SimulatorError } from "./simulator-error.ts";

const NOTHING: FileTree = new Map();

/**
 * What `theirs` changed since `base`, applied to `ours`.
 * @throws SimulatorError merge_conflict when both changed one file differently: Bitbucket does not merge those.
 */
export function mergeTrees(base: FileTree | null, ours: FileTree, theirs: FileTree): FileTree {
  const from = base ?? NOTHING;
  const merged = new Map(ours);
  for (const path of new Set([...from.keys(), ...theirs.keys()])) {
    const before = from.get(path);
    const wanted = theirs.get(path);
    if (wanted === before || wanted === ours.get(path)) continue;
    if (ours.get(path) !== before) {
      throw new SimulatorError("merge_conflict", `both sides changed ${path}: resolve it with a push first`);
    }
    if (wanted === undefined) merged.delete(path);
    else merged.set(path, wanted);
  }
  return merged;
}
