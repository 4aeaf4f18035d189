import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { judgeTriggers, type BranchTrigger, type BranchTriggers, type PushPlace } from "./outdated.ts";

/** A push at a place, told at another. */
const at = (position: number, told = position): PushPlace => ({
  position,
  eventId: String(told).padStart(3, "0"),
});

const aTrigger = (id: string, place: PushPlace, more: Partial<BranchTrigger> = {}): BranchTrigger => ({
  id,
  targetId: "network",
  runType: "proposed",
  commitSha: "a".repeat(40),
  standing: "unclaimed",
  ...place,
  ...more,
});

const judge = (triggers: readonly BranchTrigger[], more: Partial<BranchTriggers> = {}) =>
  judgeTriggers({ triggers, deletion: null, closing: null, isCertain: true, ...more });

describe("a newer trigger (rule 27)", () => {
  test("supersedes those before it that have not ended, whatever the order in which they were told", () => {
    const [first, second, third] = [
      aTrigger("1", at(1, 3)),
      aTrigger("2", at(2, 1)),
      aTrigger("3", at(3, 2)),
    ];
    expect(judge([second, third, first])).toEqual([
      { triggerId: "1", kind: "superseded", newerId: "3" },
      { triggerId: "2", kind: "superseded", newerId: "3" },
    ]);
  });

  test("of another target, or of another run type, supersedes nothing", () => {
    const others = [
      aTrigger("2", at(2), { targetId: "database" }),
      aTrigger("3", at(3), { runType: "tracked" }),
    ];
    expect(judge([aTrigger("1", at(1)), ...others])).toEqual([]);
  });

  test("asks the holder of a proposed one to stop, and not that of a tracked one", () => {
    const held = { standing: "held" } as const;
    expect(judge([aTrigger("1", at(1), held), aTrigger("2", at(2))])).toEqual([
      { triggerId: "1", kind: "superseded", newerId: "2" },
    ]);
    const tracked = { runType: "tracked" } as const;
    expect(judge([aTrigger("1", at(1), { ...held, ...tracked }), aTrigger("2", at(2), tracked)])).toEqual([]);
  });

  test("that has ended itself supersedes those before it all the same", () => {
    expect(judge([aTrigger("1", at(1)), aTrigger("2", at(2), { standing: "settled" })])).toEqual([
      { triggerId: "1", kind: "superseded", newerId: "2" },
    ]);
  });

  test("whose place is not certain supersedes nothing", () => {
    expect(judge([aTrigger("1", at(1)), aTrigger("2", at(2))], { isCertain: false })).toEqual([]);
  });
});

describe("the deletion of a branch (rule 23)", () => {
  test("ends the proposed triggers before it, not those after it, and no tracked one", () => {
    const triggers = [
      aTrigger("1", at(1)),
      aTrigger("2", at(2), { targetId: "database", standing: "held" }),
      aTrigger("3", at(3), { targetId: "dns", runType: "tracked" }),
      aTrigger("5", at(5), { targetId: "cluster" }),
    ];
    expect(judge(triggers, { deletion: at(4) })).toEqual([
      { triggerId: "1", kind: "branch_deleted" },
      { triggerId: "2", kind: "branch_deleted" },
    ]);
  });

  test("that was told after a push, and may have come before it, ends it only when that is certain", () => {
    const triggers = [aTrigger("1", at(1, 2))];
    expect(judge(triggers, { deletion: at(2, 1), isCertain: false })).toEqual([]);
    expect(judge(triggers, { deletion: at(2, 1), isCertain: true })).toHaveLength(1);
  });
});

describe("a pull request that is closed (rule 22)", () => {
  test("ends the proposed triggers up to its head, whoever has them, not those after it, and no tracked one", () => {
    const triggers = [
      aTrigger("1", at(1), { standing: "held" }),
      aTrigger("2", at(2), { targetId: "database" }),
      aTrigger("3", at(3), { targetId: "cluster" }),
      aTrigger("4", at(1), { targetId: "dns", runType: "tracked" }),
    ];
    for (const isCertain of [true, false]) {
      expect(judge(triggers, { closing: { number: 7, headSha: null, position: 2 }, isCertain })).toEqual([
        { triggerId: "1", kind: "pull_request_closed", number: 7 },
        { triggerId: "2", kind: "pull_request_closed", number: 7 },
      ]);
    }
  });

  test("ends what somebody asked for at its head later, and nothing else of later", () => {
    const headSha = "b".repeat(12);
    const triggers = [
      aTrigger("3", at(3), { commitSha: headSha.padEnd(40, "b") }),
      aTrigger("4", at(4), { targetId: "database" }),
    ];
    expect(judge(triggers, { closing: { number: 7, headSha, position: 2 } })).toEqual([
      { triggerId: "3", kind: "pull_request_closed", number: 7 },
    ]);
  });

  test("gives back what it has ended when another is open, and not what a newer trigger has", () => {
    const outdated = { standing: "outdated" } as const;
    const triggers = [aTrigger("1", at(1), outdated), aTrigger("2", at(2), outdated)];
    expect(judge(triggers, { closing: { number: 7, headSha: null, position: 2 } })).toEqual([]);
    expect(judge(triggers)).toEqual([{ triggerId: "2", kind: "revived" }]);
  });
});

test("once all pushes have their places, the latest of each target waits, if the branch is there and its pull request is not closed: whatever was believed before", () => {
  const push = fc.record({ target: fc.constantFrom("network", "database"), deletes: fc.boolean() });
  const history = fc.array(push, { minLength: 1, maxLength: 7 }).chain((pushes) => {
    const places = pushes.map((_, place) => place);
    const shuffled = fc.shuffledSubarray(places, { minLength: places.length });
    const closedAt = fc.option(fc.constantFrom(...places));
    const belief = fc.record({ order: shuffled, isCertain: fc.boolean(), closedAt });
    return fc.record({
      pushes: fc.constant(pushes),
      told: shuffled,
      closedAt,
      beliefs: fc.array(belief, { minLength: places.length, maxLength: places.length }),
    });
  });
  fc.assert(
    fc.property(history, ({ pushes, told, closedAt, beliefs }) => {
      const standings = new Map<number, BranchTrigger["standing"]>();
      const look = (
        known: readonly number[],
        positionOf: (place: number) => number,
        isCertain: boolean,
        closed: number | null,
      ) => {
        const where = (place: number) => at(positionOf(place), told.indexOf(place));
        const deletions = known.filter((place) => pushes[place]?.deletes).map(where);
        const [deletion = null] = deletions.toSorted((a, b) => b.position - a.position);
        const triggers = known.flatMap((place) => {
          const { target = "", deletes = true } = pushes[place] ?? {};
          if (deletes) return [];
          const standing = standings.get(place) ?? "unclaimed";
          return [aTrigger(String(place), where(place), { targetId: target, standing })];
        });
        for (const { id, standing } of triggers) standings.set(Number(id), standing);
        const closing = closed === null ? null : { number: 7, headSha: null, position: positionOf(closed) };
        for (const { triggerId, kind } of judgeTriggers({ triggers, deletion, closing, isCertain })) {
          standings.set(Number(triggerId), kind === "revived" ? "unclaimed" : "outdated");
        }
      };
      for (const [count, { order, isCertain, closedAt: closed }] of beliefs.entries()) {
        look(told.slice(0, count + 1), (place) => order.indexOf(place), isCertain, closed);
      }
      look(told, (place) => place, true, closedAt);

      const waiting = [...standings].flatMap(([place, standing]) =>
        standing === "unclaimed" ? [place] : [],
      );
      const lastOf = (target: string) => pushes.findLastIndex((one) => !one.deletes && one.target === target);
      const lastDeletion = pushes.findLastIndex(({ deletes }) => deletes);
      const latest = ["network", "database"]
        .map(lastOf)
        .filter((place) => place > lastDeletion && place > (closedAt ?? -1));
      expect(waiting.toSorted((a, b) => a - b)).toEqual(latest.toSorted((a, b) => a - b));
    }),
  );
});
