/** JSON taken apart and put together again with one difference. */

/** Where a value is within another, as keys and indices; empty for the whole. */
export type JsonPath = readonly string[];

/** The paths of a value and of everything within it. */
export function pathsOf(value: unknown, path: JsonPath = []): readonly JsonPath[] {
  if (typeof value !== "object" || value === null) return [path];
  return [path, ...Object.entries(value).flatMap(([key, child]) => pathsOf(child, [...path, key]))];
}

/** A copy with `value` at `path`, which leads through objects and arrays that are there. */
export function replaceAt(target: unknown, [key, ...rest]: JsonPath, value: unknown): unknown {
  if (key === undefined) return value;
  const copy: unknown = structuredClone(target);
  if (typeof copy === "object" && copy !== null) {
    Reflect.set(copy, key, replaceAt(Reflect.get(copy, key), rest, value));
  }
  return copy;
}

/** A copy without the member at `path`. */
export function removeAt(target: unknown, path: JsonPath): unknown {
  const removed: unknown = JSON.parse(JSON.stringify(replaceAt(target, path, undefined)));
  return removed;
}
