/** A YAML document as plain values, with the place of each in its file. */
import {
  type Alias,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  type ParsedNode,
} from "yaml";

import type { Position, Problem } from "./problem.ts";
import { type AnyNode, isMergeKey, readYamlValue } from "./yaml-value.ts";

/** Keys and indexes from the top of the document. */
export type Path = readonly PropertyKey[];

/** A parsed document. */
export interface LocatedYaml {
  /** Null for an empty document, or when there are problems. */
  readonly value: unknown;
  readonly problems: readonly Problem[];
  /** Where the value at `path` stands, or its key; of what is not there, the nearest thing around it. */
  locate(path: Path, what?: "value" | "key"): Position;
}

/** Parses one YAML 1.2 document with merge keys (`<<`). Never throws: what is wrong is in `problems`. */
export function parseLocatedYaml(file: string, text: string): LocatedYaml {
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    merge: true,
    stringKeys: true,
    resolveKnownTags: false,
    prettyErrors: false,
    logLevel: "silent",
  });
  const { value, targets, unresolved, isTooLarge } = readYamlValue(document.contents);
  const at = (offset: number): Position => {
    const { line, col } = lines.linePos(offset);
    return { file, line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const problems: Problem[] = [
    ...document.errors.map(({ pos, message }) => ({
      ...at(pos[0]),
      message: `not valid YAML: ${message.split("\n", 1)[0] ?? ""}`,
    })),
    ...unresolved.map(({ range, source }) => ({
      ...at(range?.[0] ?? 0),
      message: `there is no anchor &${source} before its alias`,
    })),
    ...(isTooLarge ? [{ ...at(0), message: "its aliases hold too much" }] : []),
  ];
  const finder: Finder = { contents: document.contents, targets };
  return {
    value: problems.length === 0 ? value : null,
    problems,
    locate: (path, what = "value") => at(findOffset(finder, path, what)),
  };
}

interface Finder {
  readonly contents: AnyNode;
  readonly targets: ReadonlyMap<Alias, ParsedNode>;
}

interface Child {
  readonly key: AnyNode;
  readonly value: AnyNode;
}

function findOffset(finder: Finder, path: Path, what: "value" | "key"): number {
  let node = finder.contents;
  let offset = node?.range[0] ?? 0;
  for (const [depth, key] of path.entries()) {
    const found = findChild(finder, node, key);
    if (found === null) return offset;
    const isLast = depth === path.length - 1;
    offset = (isLast && what === "key" ? found.key : found.value)?.range[0] ?? found.key?.range[0] ?? offset;
    node = found.value;
  }
  return offset;
}

function findChild(finder: Finder, parent: AnyNode, key: PropertyKey): Child | null {
  const node = followAlias(finder, parent);
  if (isSeq<ParsedNode>(node)) {
    const value = node.items[Number(key)];
    return value === undefined ? null : { key: value, value };
  }
  if (!isMap<ParsedNode, ParsedNode | null>(node)) return null;
  const own = node.items.find((pair) => isScalar(pair.key) && pair.key.value === key);
  if (own !== undefined) return own;
  for (const pair of node.items) {
    const merged = isMergeKey(pair.key) ? findMerged(finder, pair.value, key) : null;
    if (merged !== null) return merged;
  }
  return null;
}

function findMerged(finder: Finder, source: AnyNode, key: PropertyKey): Child | null {
  const node = followAlias(finder, source);
  if (!isSeq<ParsedNode>(node)) return findChild(finder, node, key);
  for (const item of node.items) {
    const found = findChild(finder, item, key);
    if (found !== null) return found;
  }
  return null;
}

function followAlias({ targets }: Finder, node: AnyNode): AnyNode {
  return isAlias(node) ? (targets.get(node) ?? null) : node;
}
