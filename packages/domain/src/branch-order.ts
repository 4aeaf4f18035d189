/** Puts the moves of a branch in order, by what each left and what each came to (rule 14). */

/** One move of a branch. Both ends are commits, or a mark for "there is no branch", or for "not known". */
export interface Move {
  readonly from: string;
  readonly to: string;
  /** RFC 3339: when the commit at `to` was made; null when not known. A hint: whoever made the commit wrote it. */
  readonly madeAt: string | null;
}

/** What is known beside the moves themselves. */
export interface KnownEnds {
  /** Where the branch was before all of these moves; null when not known. */
  readonly start: string | null;
  /** Where the branch is after all of them, as Bitbucket says; null when it was not asked. */
  readonly head: string | null;
}

export interface MoveOrder {
  /** Places of `moves`, the earliest first. */
  readonly order: readonly number[];
  /** How often a move does not begin where the one before it ended: moves that are missing. */
  readonly gaps: number;
  /** Whether the moves run in a circle that could have begun, and so ended, at several commits. */
  readonly isCircle: boolean;
}

/** Steps of the search in one group of connected moves. A history without loops takes one for each move. */
const MAX_STEPS = 5_000;

/**
 * The order that leaves the fewest gaps; of several, the one that fits the known ends, then the one in which commits were
 * first seen as they were made, then the one in which the moves are given.
 */
export function orderMoves(moves: readonly Move[], ends: KnownEnds): MoveOrder {
  const groups = groupConnected(moves).toSorted((a, b) =>
    compareTexts(firstMade(moves, a), firstMade(moves, b)),
  );
  const trails = groups.map((group) => walkLine(moves, group) ?? findBestTrail(moves, group, ends));
  const ranked = trails.toSorted((a, b) => rankTrail(moves, a, ends) - rankTrail(moves, b, ends));
  const order = ranked.flat();
  const isCircle =
    ends.start === null && ranked.length === 1 && moves[order[0] ?? 0]?.from === moves[order.at(-1) ?? 0]?.to;
  return { order, gaps: countGaps(moves, order, ends.start), isCircle };
}

function compareTexts(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

function firstMade(moves: readonly Move[], group: readonly number[]): string {
  return group.flatMap((place) => moves[place]?.madeAt ?? []).toSorted(compareTexts)[0] ?? "";
}

/** Groups of places, ascending, that share no commit. */
function groupConnected(moves: readonly Move[]): (readonly number[])[] {
  const parents = new Map<string, string>();
  const rootOf = (commit: string): string => {
    let root = commit;
    for (let parent = parents.get(root); parent !== undefined; parent = parents.get(root)) root = parent;
    if (root !== commit) parents.set(commit, root);
    return root;
  };
  for (const { from, to } of moves) {
    const [one, other] = [rootOf(from), rootOf(to)];
    if (one !== other) parents.set(one, other);
  }
  const groups = new Map<string, number[]>();
  for (const [place, { from }] of moves.entries()) {
    const group = groups.get(rootOf(from));
    if (group === undefined) groups.set(rootOf(from), [place]);
    else group.push(place);
  }
  return [...groups.values()];
}

/** The only order of moves of which no two leave, and no two come to, the same commit; null when there are such. */
function walkLine(moves: readonly Move[], group: readonly number[]): readonly number[] | null {
  const leaving = new Map<string, number>();
  const reached = new Set<string>();
  for (const place of group) {
    const move = moves[place];
    if (move === undefined || leaving.has(move.from) || reached.has(move.to)) return null;
    leaving.set(move.from, place);
    reached.add(move.to);
  }
  const first = group.find((place) => !reached.has(moves[place]?.from ?? ""));
  if (first === undefined) return null;
  const line: number[] = [];
  for (let place: number | undefined = first; place !== undefined;) {
    line.push(place);
    place = leaving.get(moves[place]?.to ?? "");
  }
  return line;
}

/** The group at the known start comes first, the one at the known head last; the others keep their order. */
function rankTrail(moves: readonly Move[], trail: readonly number[], { start, head }: KnownEnds): number {
  if (head !== null && moves[trail.at(-1) ?? 0]?.to === head) return 1;
  return start !== null && moves[trail[0] ?? 0]?.from === start ? -1 : 0;
}

function countGaps(moves: readonly Move[], order: readonly number[], start: string | null): number {
  let at = start;
  let gaps = 0;
  for (const place of order) {
    const move = moves[place];
    if (move === undefined) continue;
    if (at !== null && move.from !== at) gaps += 1;
    at = move.to;
  }
  return gaps;
}

/** Walks the moves of one group in every way that leaves no more gaps than it must, and keeps the best. */
function findBestTrail(moves: readonly Move[], group: readonly number[], ends: KnownEnds): readonly number[] {
  const openEnds = countOpenEnds(moves, group);
  const maxJumps = Math.max(1, sumPositive(openEnds.values())) - 1;
  const walked = new Set<number>();
  let best: readonly number[] = group;
  let leastCost: readonly number[] | null = null;
  let steps = 0;

  function walk(at: string | null, jumps: number): void {
    if (walked.size === group.length) {
      // A set keeps the order in which it was filled.
      const cost = costOf(moves, [...walked], ends);
      if (leastCost !== null && !isLess(cost, leastCost)) return;
      best = [...walked];
      leastCost = cost;
      return;
    }
    const left = group.filter((place) => !walked.has(place));
    const onward = left.filter((place) => moves[place]?.from === at);
    for (const place of onward) take(place, jumps);
    if (at !== null && jumps === maxJumps) return;
    for (const place of beginnings(left)) {
      if (!onward.includes(place)) take(place, at === null ? 0 : jumps + 1);
    }
  }

  /** Where a stretch may begin without making one stretch more than needed. */
  function beginnings(left: readonly number[]): readonly number[] {
    const open = left.filter((place) => (openEnds.get(moves[place]?.from ?? "") ?? 0) > 0);
    return open.length > 0 ? open : left;
  }

  function take(place: number, jumps: number): void {
    const move = moves[place];
    steps += 1;
    if (move === undefined || steps > (leastCost === null ? MAX_STEPS * 10 : MAX_STEPS)) return;
    walked.add(place);
    shift(openEnds, move, -1);
    walk(move.to, jumps);
    shift(openEnds, move, 1);
    walked.delete(place);
  }

  walk(null, 0);
  return best;
}

function sumPositive(values: Iterable<number>): number {
  return [...values].reduce((sum, value) => sum + Math.max(0, value), 0);
}

/** For each commit: how many moves leave it more than come to it. */
function countOpenEnds(moves: readonly Move[], group: readonly number[]): Map<string, number> {
  const open = new Map<string, number>();
  for (const place of group) {
    const move = moves[place];
    if (move !== undefined) shift(open, move, 1);
  }
  return open;
}

function shift(open: Map<string, number>, { from, to }: Move, by: number): void {
  open.set(from, (open.get(from) ?? 0) + by);
  open.set(to, (open.get(to) ?? 0) - by);
}

/** The less, the better; the first difference counts. */
function costOf(
  moves: readonly Move[],
  trail: readonly number[],
  { start, head }: KnownEnds,
): readonly number[] {
  const first = moves[trail[0] ?? 0];
  const last = moves[trail.at(-1) ?? 0];
  return [
    Number(start !== null && first?.from !== start),
    Number(head !== null && last?.to !== head),
    countMadeLater(moves, trail),
  ];
}

/** Pairs of commits of which the one that was made later was seen first. */
function countMadeLater(moves: readonly Move[], trail: readonly number[]): number {
  const seen = new Set<string>();
  const dates: number[] = [];
  let inversions = 0;
  for (const place of trail) {
    const move = moves[place];
    if (move === undefined) continue;
    seen.add(move.from);
    if (seen.has(move.to)) continue;
    seen.add(move.to);
    const date = move.madeAt === null ? Number.NaN : Date.parse(move.madeAt);
    inversions += dates.filter((earlier) => earlier > date).length;
    dates.push(date);
  }
  return inversions;
}

function isLess(a: readonly number[], b: readonly number[]): boolean {
  const place = a.findIndex((value, index) => value !== b[index]);
  return place !== -1 && (a[place] ?? 0) < (b[place] ?? 0);
}
