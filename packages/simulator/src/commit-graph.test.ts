import { describe, expect, it } from "vitest";
import { createCommit, type Commit } from "./commit.ts";
import { findMergeBase, isAncestor, listCommits } from "./commit-graph.ts";

function aCommit(sequence: number, parents: readonly Commit[]): Commit {
  const author = { raw: "Ada <ada@example.com>", account: null };
  return createCommit({
    parents,
    sequence,
    tree: new Map(),
    author,
    message: `${sequence}\n`,
    date: sequence,
  });
}

/** Thirty commits, each with up to two earlier ones as parents, by a rule that gives joins, forks and several roots. */
function aTangle(salt: number): Commit[] {
  const commits: Commit[] = [];
  for (let sequence = 0; sequence < 30; sequence += 1) {
    const picks = [sequence * 7 + salt * 13, sequence * 5 + salt * 3 + 1].slice(0, (sequence + salt) % 3);
    const parents = picks.flatMap((pick) => commits[pick % Math.max(1, sequence)] ?? []);
    commits.push(aCommit(sequence, [...new Set(parents)]));
  }
  return commits;
}

function ancestorsOf(commit: Commit): Set<Commit> {
  return new Set([commit, ...commit.parents.flatMap((parent) => [...ancestorsOf(parent)])]);
}

function newestFirst(commits: Iterable<Commit>): Commit[] {
  return [...commits].toSorted((a, b) => b.sequence - a.sequence);
}

describe("ancestry, against the slow and obvious way, in five tangled histories", () => {
  it.each([0, 1, 2, 3, 4])("history %i", (salt) => {
    const commits = aTangle(salt);
    for (const a of commits) {
      const ofA = ancestorsOf(a);
      for (const b of commits) {
        const ofB = ancestorsOf(b);
        expect(isAncestor(b, a)).toBe(ofA.has(b));
        const shared = newestFirst(ofA).filter((commit) => ofB.has(commit));
        expect(findMergeBase(a, b)).toBe(shared[0] ?? null);
        const own = newestFirst(ofA).filter((commit) => !ofB.has(commit));
        expect(listCommits(a, { excluded: b })).toEqual(own);
        expect(listCommits(a, { excluded: b, limit: 3 })).toEqual(own.slice(0, 3));
      }
    }
  });
});
