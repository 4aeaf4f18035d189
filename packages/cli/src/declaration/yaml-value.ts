/**
 * Plain values of a YAML document, in time that grows with the document. The parser's own `toJS` looks through the
 * whole document for each merge (yaml 2.9.1: 12 s for a thousand stacks that share one anchor).
 */
import { type Alias, isAlias, isMap, isScalar, isSeq, type ParsedNode } from "yaml";

/** A node, or what stands where nothing was written. */
export type AnyNode = ParsedNode | null | undefined;

/** What a document says. */
export interface YamlValue {
  readonly value: unknown;
  /** The node that each alias stands for. */
  readonly targets: ReadonlyMap<Alias, ParsedNode>;
  /** Aliases whose anchor does not come before them. */
  readonly unresolved: readonly Alias[];
  /** Whether its aliases, written out, hold too much (a "billion laughs"). */
  readonly isTooLarge: boolean;
}

/** Of a document with every alias written out; ten thousand stacks have some hundred thousand. */
const MAX_NODES = 5_000_000;

interface Anchored {
  readonly node: ParsedNode;
  readonly value: unknown;
  readonly size: number;
}

interface Reading {
  readonly anchors: Map<string, Anchored>;
  readonly targets: Map<Alias, ParsedNode>;
  readonly unresolved: Alias[];
  /** Nodes so far, every alias counted as what it stands for. */
  size: number;
}

/** Reads the value of a parsed document. A value that several aliases share is one object: do not change it. */
export function readYamlValue(contents: AnyNode): YamlValue {
  const reading: Reading = { anchors: new Map(), targets: new Map(), unresolved: [], size: 0 };
  const value = readNode(contents, reading);
  const { targets, unresolved, size } = reading;
  return { value, targets, unresolved, isTooLarge: size > MAX_NODES };
}

/** Whether a key takes over the keys of its value: `<<` without quotes. */
export function isMergeKey(key: ParsedNode): boolean {
  return isScalar(key) && key.source === "<<" && key.type === "PLAIN";
}

function readNode(node: AnyNode, reading: Reading): unknown {
  if (node === null || node === undefined) return null;
  if (isAlias(node)) return readAlias(node, reading);
  const before = reading.size;
  reading.size += 1;
  const value = readContent(node, reading);
  const { anchor } = node;
  // After its content: what is inside an anchor cannot stand for it.
  if (anchor !== undefined) reading.anchors.set(anchor, { node, value, size: reading.size - before });
  return value;
}

function readAlias(alias: Alias.Parsed, reading: Reading): unknown {
  const anchored = reading.anchors.get(alias.source);
  if (anchored === undefined) {
    reading.unresolved.push(alias);
    return null;
  }
  reading.targets.set(alias, anchored.node);
  reading.size += anchored.size;
  return anchored.value;
}

function readContent(node: Exclude<ParsedNode, Alias>, reading: Reading): unknown {
  if (isSeq<ParsedNode>(node)) return node.items.map((item) => readNode(item, reading));
  if (!isMap<ParsedNode, ParsedNode | null>(node)) return node.value;
  const merged: [string, unknown][] = [];
  const own: [string, unknown][] = [];
  for (const { key, value } of node.items) {
    if (isMergeKey(key)) merged.push(...mergedEntries(readNode(value, reading)));
    else own.push([isScalar(key) ? String(key.value) : "", readNode(value, reading)]);
  }
  // Own keys win wherever they stand.
  return Object.fromEntries([...merged, ...own]);
}

/** Of several, the first wins. */
function mergedEntries(value: unknown): [string, unknown][] {
  if (Array.isArray(value)) return value.toReversed().flatMap((item) => mergedEntries(item));
  return typeof value === "object" && value !== null ? Object.entries(value) : [];
}
