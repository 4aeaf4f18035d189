/** How many lines a change adds and removes, by Myers' shortest edit script, as git counts them. */

export interface LineCounts {
  readonly added: number;
  readonly removed: number;
}

/** Lines of a text: a last line without a newline counts, nothing after the last newline does not. */
export function splitLines(text: string): string[] {
  if (text === "") return [];
  return (text.endsWith("\n") ? text.slice(0, -1) : text).split("\n");
}

/** Lines added and removed from `before` to `after`. */
export function countChangedLines(before: string, after: string): LineCounts {
  const [a, b] = withoutCommonEnds(splitLines(before), splitLines(after));
  const edits = editDistance(a, b);
  // edits = added + removed, and added - removed = the growth.
  const added = (edits + b.length - a.length) / 2;
  return { added, removed: edits - added };
}

/** Insertions plus deletions of the shortest edit script (E. Myers, 1986, the greedy algorithm). */
function editDistance(a: readonly string[], b: readonly string[]): number {
  const most = a.length + b.length;
  const furthest = new Map<number, number>([[1, 0]]);
  for (let edits = 0; edits <= most; edits += 1) {
    for (let diagonal = -edits; diagonal <= edits; diagonal += 2) {
      const fromAbove = furthest.get(diagonal + 1) ?? -1;
      const fromLeft = furthest.get(diagonal - 1) ?? -1;
      const goesDown = diagonal === -edits || (diagonal !== edits && fromLeft < fromAbove);
      let x = goesDown ? fromAbove : fromLeft + 1;
      while (x < a.length && x - diagonal < b.length && a[x] === b[x - diagonal]) x += 1;
      furthest.set(diagonal, x);
      if (x >= a.length && x - diagonal >= b.length) return edits;
    }
  }
  return most;
}

function withoutCommonEnds(a: string[], b: string[]): [string[], string[]] {
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start += 1;
  let end = 0;
  while (
    end < a.length - start &&
    end < b.length - start &&
    a[a.length - 1 - end] === b[b.length - 1 - end]
  ) {
    end += 1;
  }
  return [a.slice(start, a.length - end), b.slice(start, b.length - end)];
}
