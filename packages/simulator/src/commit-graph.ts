/** Questions about ancestry. Every walk goes from newer to older commits, by `sequence`. */
import type { Commit } from "./commit.ts";

/** Is `ancestor` reachable from `descendant`? A commit is its own ancestor. */
export function isAncestor(ancestor: Commit, descendant: Commit): boolean {
  const seen = new Set<Commit>();
  const open = [descendant];
  for (let commit = open.pop(); commit !== undefined; commit = open.pop()) {
    if (commit === ancestor) return true;
    if (seen.has(commit) || commit.sequence < ancestor.sequence) continue;
    seen.add(commit);
    open.push(...commit.parents);
  }
  return false;
}

/** The newest commit that both have among their ancestors; null for unrelated histories. */
export function findMergeBase(a: Commit, b: Commit): Commit | null {
  const sides = new Map<Commit, number>();
  const queue: Commit[] = [];
  const paint = (commit: Commit, side: number): void => {
    const before = sides.get(commit);
    if (before === undefined) enqueue(queue, commit);
    sides.set(commit, (before ?? 0) | side);
  };
  paint(a, 1);
  paint(b, 2);
  for (let commit = queue.pop(); commit !== undefined; commit = queue.pop()) {
    const painted = sides.get(commit) ?? 0;
    if (painted === 3) return commit;
    for (const parent of commit.parents) paint(parent, painted);
  }
  return null;
}

/** Commits of `head` that `excluded` does not have, newest first, at most `limit`. */
export function listCommits(
  head: Commit,
  options: { excluded?: Commit | null; limit?: number } = {},
): Commit[] {
  const limit = options.limit ?? Number.POSITIVE_INFINITY;
  const found: Commit[] = [];
  const hidden = new Set<Commit>();
  const queued = new Set<Commit>();
  const queue: Commit[] = [];
  let visibleInQueue = 0;
  const add = (commit: Commit, isHidden: boolean): void => {
    const isNew = !queued.has(commit);
    if (isHidden && !hidden.has(commit)) {
      hidden.add(commit);
      if (!isNew) visibleInQueue -= 1;
    }
    if (!isNew) return;
    queued.add(commit);
    enqueue(queue, commit);
    if (!isHidden) visibleInQueue += 1;
  };

  add(head, false);
  if (options.excluded) add(options.excluded, true);
  while (visibleInQueue > 0 && found.length < limit) {
    const commit = queue.pop();
    if (commit === undefined) break;
    const isHidden = hidden.has(commit);
    if (!isHidden) {
      found.push(commit);
      visibleInQueue -= 1;
    }
    for (const parent of commit.parents) add(parent, isHidden);
  }
  return found;
}

/** Keeps the queue sorted, newest last. Parents are nearly always the newest left, so the walk in is short. */
function enqueue(queue: Commit[], commit: Commit): void {
  let at = queue.length;
  while (at > 0 && (queue[at - 1]?.sequence ?? 0) > commit.sequence) at -= 1;
  queue.splice(at, 0, commit);
}
