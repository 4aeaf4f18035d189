import fc from "fast-check";
import { describe, expect, test } from "vitest";

import {
  continuesChain,
  placePush,
  settleBranch,
  type BranchMove,
  type BranchState,
  type PushPlace,
} from "./branch.ts";
import { SWEEP_HOOK, type BranchPush, type RecordedPush } from "./branch-push.ts";
import { isDuplicate } from "./duplicate.ts";

const shaOf = (commit: number) => String.fromCodePoint(97 + commit).repeat(40);
const dateOf = (commit: number) => new Date(Date.UTC(2026, 0, 1, 0, commit)).toISOString();

type Told = Omit<BranchPush, "sequence">;

/** A push from one commit to another; null: there is no branch. */
function aPush(from: number | null, to: number | null, told: Partial<Told> = {}): Told {
  return {
    oldSha: from === null ? null : shaOf(from),
    newSha: to === null ? null : shaOf(to),
    change: from === null ? "created" : to === null ? "deleted" : "updated",
    committedAt: to === null ? null : dateOf(to),
    hookId: "hook",
    attempt: 1,
    ...told,
  };
}

/** Pushes of a branch that stands at these commits in turn. */
const aHistory = (commits: readonly (number | null)[]): Told[] =>
  commits.slice(1).map((to, place) => aPush(commits[place]!, to));

/** A branch as it is kept: what a worker does with a database, in a few arrays. */
function createBranch(askHead: () => number | null, begin: BranchState | null = null) {
  let state = begin;
  let recorded: RecordedPush[] = [];
  let asked = 0;

  function apply({ branch, recovered, sequences }: BranchMove): void {
    const own = new Set(recovered.map(({ sequence }) => sequence));
    recorded = recorded
      .map((push) =>
        push.isToldAgain && own.has(push.sequence)
          ? { ...push, isToldAgain: false, branchArrival: push.sequence }
          : push,
      )
      .map((push) =>
        push.isToldAgain ? push : { ...push, sequence: sequences.get(push.sequence) ?? push.sequence },
      );
    state = branch;
  }

  return {
    tell(told: Told): PushPlace["kind"] {
      const push = { ...told, sequence: recorded.length };
      const isSwept = told.hookId === SWEEP_HOOK;
      const place = placePush(push, state, recorded);
      if (place.kind === "moved") {
        recorded.push({ ...push, branchArrival: push.sequence, isToldAgain: false, isAwaited: isSwept });
        apply(place);
      } else {
        const { sequence, branchArrival } = place.push;
        const isToldAgain = place.kind === "told_again";
        const own = isToldAgain ? {} : { sequence };
        recorded.push({ ...push, ...own, branchArrival, isToldAgain, isAwaited: isSwept });
        state = place.branch;
      }
      if (state?.chain !== "unsure") return place.kind;
      asked += 1;
      const head = askHead();
      const settled = settleBranch(state, recorded, { sha: head === null ? null : shaOf(head) });
      if (settled !== null) apply(settled);
      return place.kind;
    },
    head: () => state?.headSha ?? null,
    state: () => state,
    asked: () => asked,
    order: () =>
      recorded
        .filter(({ isToldAgain }) => !isToldAgain)
        .toSorted((a, b) => a.sequence - b.sequence)
        .map(({ oldSha, newSha }) => `${oldSha?.[0] ?? "-"}${newSha?.[0] ?? "-"}`),
    /** Where the branch came to in turn, each arrival once. */
    arrivals: () => [
      ...new Map(
        recorded
          .filter(({ isToldAgain }) => !isToldAgain)
          .toSorted((a, b) => a.sequence - b.sequence)
          .map(({ branchArrival, newSha }) => [branchArrival, newSha?.[0] ?? "-"]),
      ).values(),
    ],
  };
}

const orderOf = (history: readonly Told[]) =>
  history.map(({ oldSha, newSha }) => `${oldSha?.[0] ?? "-"}${newSha?.[0] ?? "-"}`);

function tellAll(history: readonly Told[], head: number | null) {
  const branch = createBranch(() => head);
  for (const push of history) branch.tell(push);
  return branch;
}

const histories = fc.array(fc.tuple(fc.nat(9), fc.boolean()), { minLength: 1, maxLength: 7 }).map((steps) => {
  // A new commit, or back to one that the branch stood at, or away with the branch.
  const commits: (number | null)[] = [0];
  let newest = 0;
  for (const [choice, isNew] of steps) {
    const now = commits.at(-1)!;
    const back = [...new Set(commits)].filter((commit) => commit !== now);
    if (now !== null && choice === 9) commits.push(null);
    else if (isNew || back.length === 0) commits.push((newest += 1));
    else commits.push(back[choice % back.length] ?? null);
  }
  return commits;
});

/** In how many different orders these moves lead from the first commit to the last one without a gap. */
function countOrders(moves: readonly string[], at: string, end: string): number {
  if (moves.length === 0) return Number(at === end);
  const next = new Set(moves.filter((move) => move[0] === at));
  return [...next].reduce((sum, move) => {
    const left = moves.toSpliced(moves.indexOf(move), 1);
    return sum + countOrders(left, move[1]!, end);
  }, 0);
}

function permutationsOf(items: readonly number[]): number[][] {
  if (items.length === 0) return [[]];
  return items.flatMap((item) =>
    permutationsOf(items.filter((other) => other !== item)).map((rest) => [item, ...rest]),
  );
}

describe("a push's place in the history of its branch (rule 14)", () => {
  test("a chain that is told in order needs no other push, and nobody is asked", () => {
    const history = aHistory([0, 1, 2, 1, 2, 3]);
    const branch = tellAll(history, 3);
    expect(branch.order()).toEqual(orderOf(history));
    expect(branch.asked()).toBe(0);
    expect(continuesChain(aPush(3, 4), branch.state())).toBe(true);
    expect(continuesChain(aPush(2, 4), branch.state())).toBe(false);
  });

  test("pushes that are told as third, first, second come to stand in their order", () => {
    const history = aHistory([0, 1, 2, 3]);
    const branch = tellAll([history[2]!, history[0]!, history[1]!], 3);
    expect(branch.order()).toEqual(orderOf(history));
    expect(branch.head()).toBe(shaOf(3));
    expect(branch.state()?.chain).toBe("whole");
  });

  test("a missing push leaves the order to Bitbucket's head, and pushes go on from there", () => {
    const [first, , third, fourth] = aHistory([0, 1, 2, 3, 4]);
    const branch = createBranch(() => 3);
    for (const push of [third!, first!]) branch.tell(push);
    expect(branch.head()).toBe(shaOf(3));
    expect(branch.state()?.chain).toBe("broken");
    branch.tell(fourth!);
    expect(branch.head()).toBe(shaOf(4));
    expect(branch.order()).toEqual(orderOf([first!, third!, fourth!]));
    expect(branch.asked()).toBe(1);
  });

  test("a head that no push came to settles nothing yet", () => {
    const [first, , third] = aHistory([0, 1, 2, 3]);
    const branch = createBranch(() => 5);
    for (const push of [third!, first!]) branch.tell(push);
    expect(branch.state()?.chain).toBe("unsure");
  });

  test("a circle could have begun anywhere: Bitbucket tells", () => {
    for (const head of [0, 1]) {
      const branch = tellAll([aPush(0, 1), aPush(1, 0)], head);
      expect(branch.asked()).toBe(1);
      expect(branch.head()).toBe(shaOf(head));
    }
  });

  test("what another hook says, or is sent again by hand, is the same push", () => {
    const branch = createBranch(() => 2);
    expect(branch.tell(aPush(0, 1))).toBe("moved");
    expect(branch.tell(aPush(1, 2))).toBe("moved");
    expect(branch.tell(aPush(0, 1, { hookId: "second" }))).toBe("repeated");
    expect(branch.tell(aPush(0, 1, { attempt: 4 }))).toBe("repeated");
    expect(branch.tell(aPush(0, 1, { hookId: null }))).toBe("repeated");
    expect(branch.tell(aPush(1, 2, { hookId: "second" }))).toBe("repeated");
    expect(branch.head()).toBe(shaOf(2));
    expect(branch.asked()).toBe(0);
  });

  test("what the same hook says again is the same push, until it turns out that the branch went there again", () => {
    for (const [head, order] of [
      [0, ["ab", "ba"]],
      [1, ["ab", "ba", "ab"]],
    ] as const) {
      const branch = createBranch(() => head);
      branch.tell(aPush(0, 1));
      expect(branch.tell(aPush(0, 1))).toBe("told_again");
      expect(branch.head()).toBe(shaOf(1));
      expect(branch.asked()).toBe(0);
      branch.tell(aPush(1, 0));
      expect(branch.order()).toEqual(order);
      expect(branch.head()).toBe(shaOf(head));
    }
  });

  const toldInAnyOrder = histories.chain((commits) =>
    fc.tuple(fc.constant(commits), fc.shuffledSubarray(aHistory(commits), { minLength: commits.length - 1 })),
  );

  test("whatever the order in which pushes are told, the branch comes to the same head", () => {
    fc.assert(
      fc.property(toldInAnyOrder, ([commits, told]) => {
        const head = commits.at(-1)!;
        const branch = tellAll(told, head);
        expect(branch.head()).toBe(head === null ? null : shaOf(head));
        expect(branch.order().toSorted()).toEqual(orderOf(told).toSorted());
      }),
      { numRuns: 2_000 },
    );
  });

  test("and the pushes to the same order, unless they fit together in several ways", () => {
    fc.assert(
      fc.property(toldInAnyOrder, ([commits, told]) => {
        const order = orderOf(aHistory(commits));
        fc.pre(countOrders(order, order[0]![0]!, order.at(-1)![1]!) === 1);
        expect(tellAll(told, commits.at(-1)!).order()).toEqual(order);
      }),
      { numRuns: 2_000 },
    );
  });

  test("also when pushes fit together in several ways, if only one has the commits in the order of their dates", () => {
    const history = aHistory([0, null, 1, null, 2]);
    const branch = tellAll(
      [3, 0, 2, 1].map((place) => history[place]!),
      2,
    );
    expect(branch.order()).toEqual(orderOf(history));
  });

  test("a long history in which everything comes late is searched in bounded time", () => {
    const loops = Array.from({ length: 100 }, (_, place) => (place % 2 === 0 ? 0 : 1 + (place % 7)));
    const history = aHistory(loops);
    const branch = tellAll(history.toReversed(), loops.at(-1)!);
    expect(branch.head()).toBe(shaOf(loops.at(-1)!));
  });
});

describe("a push that a sweep found (rule 34)", () => {
  const swept = (from: number | null, to: number | null) => aPush(from, to, { hookId: SWEEP_HOOK });

  test("goes on from the known head, also where that is not certain, or where the branch has been", () => {
    const [first, , third] = aHistory([0, 1, 2, 3]);
    const branch = tellAll([third!, first!], 3);
    expect(branch.state()?.chain).toBe("broken");
    branch.tell(swept(3, 1));
    expect(branch.head()).toBe(shaOf(1));
    expect(branch.arrivals()).toEqual(["b", "d", "b"]);
    const circle = tellAll([first!, swept(1, 0)], 5);
    expect(circle.head()).toBe(shaOf(0));
    expect(circle.asked()).toBe(0);
  });

  test("is what its webhook says, if that comes after all, whatever lies between", () => {
    for (const late of permutationsOf([1, 2, 3])) {
      const history = aHistory([0, 1, 2, 3, 4]);
      const branch = tellAll([history[0]!, swept(1, 4)], 4);
      expect(branch.head()).toBe(shaOf(4));
      for (const place of late) branch.tell(history[place]!);
      expect(branch.head()).toBe(shaOf(4));
      expect(branch.arrivals()).toEqual(["b", "c", "d", "e"]);
    }
  });

  test("is its webhook's once: a return to that commit is another push", () => {
    const branch = tellAll([aPush(0, 1), swept(1, 3), aPush(2, 3), aPush(3, 4), aPush(4, 3)], 3);
    expect(branch.arrivals()).toEqual(["b", "d", "e", "d"]);
    expect(branch.head()).toBe(shaOf(3));
  });

  test("is what is said the same within the hour; later, what goes on from the head is another push", () => {
    const known = { headSha: shaOf(0), arrivalSequence: 2, origin: shaOf(0), chain: "broken" } as const;
    const place = (isAwaited: boolean) => {
      const told = (push: Told, sequence: number): RecordedPush => {
        return { ...push, sequence, branchArrival: sequence, isToldAgain: false, isAwaited: false };
      };
      const recorded = [{ ...told(swept(0, 1), 1), isAwaited }, told(aPush(1, 0), 2)];
      return placePush({ ...aPush(0, 1), sequence: 3 }, known, recorded);
    };
    expect(place(true)).toMatchObject({ kind: "repeated", push: { sequence: 1 } });
    expect(place(false)).toMatchObject({ kind: "moved" });
  });

  test("says nothing new when webhooks were faster", () => {
    const branch = createBranch(() => 3);
    for (const push of aHistory([0, 1, 2, 3])) branch.tell(push);
    expect(branch.tell(swept(1, 2))).toBe("repeated");
    expect(branch.tell(swept(0, 3))).toBe("repeated");
    expect(branch.arrivals()).toEqual(["b", "c", "d"]);
    expect(branch.head()).toBe(shaOf(3));
  });

  /** A history of which the first `known` pushes were told, and at the place `seen` of which a sweep looks. */
  interface SweptHistory {
    readonly commits: readonly (number | null)[];
    readonly known: number;
    readonly seen: number;
    /** The others, in the order in which they are told. */
    readonly late: readonly Told[];
  }

  const sweptHistories: fc.Arbitrary<SweptHistory> = histories
    .chain((commits) =>
      fc.record({
        commits: fc.constant(commits),
        known: fc.nat(commits.length - 2),
        seen: fc.nat(commits.length - 1),
      }),
    )
    .filter(({ commits, known, seen }) => known < seen && commits[known] !== commits[seen])
    .chain((story) => {
      const late = aHistory(story.commits).slice(story.known);
      return fc
        .shuffledSubarray(late, { minLength: late.length })
        .map((shuffled) => ({ ...story, late: shuffled }));
    });

  /** Tells the first pushes in order, then what the sweep found, then the others as they come. */
  function tellSwept({ commits, known, seen, late }: SweptHistory) {
    let bitbucket = commits[0]!;
    const start = { headSha: shaOf(0), arrivalSequence: -1, origin: null, chain: "whole" } as const;
    const branch = createBranch(() => bitbucket, start);
    for (const [place, push] of aHistory(commits).slice(0, known).entries()) {
      bitbucket = commits[place + 1]!;
      branch.tell(push);
    }
    bitbucket = commits.at(-1)!;
    branch.tell(swept(commits[known]!, commits[seen]!));
    for (const push of late) branch.tell(push);
    return branch;
  }

  const jumpsNone = sweptHistories.filter(({ known, seen }) => seen === known + 1);
  const returnsNowhere = sweptHistories.filter(({ commits }) => new Set(commits).size === commits.length);

  test.each([
    ["of one push, whatever the branch did", jumpsNone],
    ["of several pushes, where the branch came to no commit twice", returnsNowhere],
  ])("changes nothing of what webhooks make of the branch when they come late: %s", (_, told) => {
    fc.assert(
      fc.property(told, (history) => {
        const arrivals = aHistory(history.commits).map(({ newSha }) => newSha?.[0] ?? "-");
        const moves = orderOf(aHistory(history.commits));
        const branch = tellSwept(history);
        const head = history.commits.at(-1)!;
        expect(branch.head()).toBe(head === null ? null : shaOf(head));
        expect(branch.arrivals().toSorted()).toEqual(arrivals.toSorted());
        if (countOrders(moves, moves[0]![0]!, moves.at(-1)![1]!) > 1) return;
        expect(branch.arrivals()).toEqual(arrivals);
      }),
      { numRuns: 2_000 },
    );
  });

  test("whatever was missed and came late, the next sweep brings the branch to Bitbucket's head", () => {
    fc.assert(
      fc.property(sweptHistories, (history) => {
        const branch = tellSwept(history);
        const known = branch.head();
        const head = history.commits.at(-1)!;
        const sha = head === null ? null : shaOf(head);
        if (known !== sha) branch.tell({ ...swept(null, head), oldSha: known, change: "updated" });
        expect(branch.head()).toBe(sha);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe("arrivals (rule 26)", () => {
  const standing = (arrivalSequence: number) => ({ headSha: shaOf(0), arrivalSequence });
  const aTrigger = (refName: string, branchArrival: number, commit = 0) => ({
    commitSha: shaOf(commit),
    repositoryId: "one",
    refName,
    branchArrival,
  });

  test("a return to a commit, also of a deleted branch, is a new arrival", () => {
    expect(isDuplicate(aTrigger("main", 1), aTrigger("main", 3), standing(3))).toBe(false);
    expect(isDuplicate(aTrigger("main", 3), aTrigger("main", 3), standing(3))).toBe(true);
  });

  test("what was told late is no duplicate of a later return to the same commit", () => {
    expect(isDuplicate(aTrigger("main", 3), aTrigger("main", 5), standing(3))).toBe(false);
  });

  test("a commit on a second branch is a duplicate for as long as the first branch stays there", () => {
    const [earlier, onSecond] = [aTrigger("one", 1), aTrigger("two", 5)];
    expect(isDuplicate(earlier, onSecond, standing(1))).toBe(true);
    expect(isDuplicate(earlier, onSecond, { headSha: shaOf(1), arrivalSequence: 4 })).toBe(false);
    expect(isDuplicate(earlier, onSecond, standing(4))).toBe(false);
    expect(isDuplicate(earlier, aTrigger("two", 5, 1), null)).toBe(false);
  });
});
