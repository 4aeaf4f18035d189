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
  awaitsPush: false,
  reportedOn: null,
  standing: "unclaimed",
  ...place,
  ...more,
});

const judge = (triggers: readonly BranchTrigger[], more: Partial<BranchTriggers> = {}) =>
  judgeTriggers({
    triggers,
    deletion: null,
    closing: null,
    reports: [],
    leavings: [],
    arrivals: [],
    isCertain: true,
    ...more,
  });

/** The head of a pull request is closed at a position where it was pushed. */
const closedAt = (position: number, headSha: string | null = null) => ({
  number: 7,
  headSha,
  position,
  awaitsPush: false,
});

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

describe("a run that stood for the latest report of a head (rules 14, 26)", () => {
  const [b, c, d] = ["b".repeat(40), "c".repeat(40), "d".repeat(40)];
  const on = (second: number) => `2026-11-01T00:00:0${String(second)}Z`;
  const first = aTrigger("b", at(1), { commitSha: b, reportedOn: on(2) });
  const between = aTrigger("c", at(2), { commitSha: c });
  const reports = [
    { sha: c.slice(0, 12), updatedOn: on(1) },
    { sha: b.slice(0, 12), updatedOn: on(2) },
  ];
  const arrivals = [
    { sha: b, position: 3 },
    { sha: c, position: 2 },
  ];
  const cIsNewest = [{ triggerId: "b", kind: "superseded", newerId: "c" }];
  const bIsNewest = [{ triggerId: "c", kind: "superseded", newerId: "b" }];

  test("stands where the branch last came to that head, and comes back for it", () => {
    const leavings = [{ sha: b, position: 2 }];
    expect(judge([first, between], { reports, arrivals, leavings })).toEqual(bIsNewest);
    const ended = { ...first, standing: "outdated" } as const;
    expect(judge([ended, between], { reports, arrivals, leavings })).toEqual([
      ...bIsNewest,
      { triggerId: "b", kind: "revived" },
    ]);
    const closing = closedAt(2, c);
    expect(judge([first], { reports, arrivals, leavings, closing })).toEqual([]);
  });

  test("stays where it is while nothing tells that the branch came back, once it left again, or for no report", () => {
    expect(judge([first, between], { reports, arrivals: [{ sha: b, position: 1 }] })).toEqual(cIsNewest);
    const leavings = [{ sha: b, position: 4 }];
    expect(judge([first, between], { reports, arrivals, leavings })).toEqual(cIsNewest);
    expect(judge([{ ...first, reportedOn: null }, between], { reports, arrivals })).toEqual(cIsNewest);
  });

  test("stays where it is when another head was reported later, or when another run of it came later", () => {
    const later = [...reports, { sha: d, updatedOn: on(3) }];
    expect(judge([first, between], { reports: later, arrivals })).toEqual(cIsNewest);
    const again = aTrigger("b2", at(3), { commitSha: b });
    expect(judge([first, between, again], { reports, arrivals })).toEqual([
      { triggerId: "b", kind: "superseded", newerId: "b2" },
      { triggerId: "c", kind: "superseded", newerId: "b2" },
    ]);
  });

  test("stays where it is when it is tracked: those are claimed in the order of their commits (rule 29)", () => {
    const tracked = [first, between].map((trigger) => ({ ...trigger, runType: "tracked" as const }));
    expect(judge(tracked, { reports, arrivals })).toEqual(cIsNewest);
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
      expect(judge(triggers, { closing: closedAt(2), isCertain })).toEqual([
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
    expect(judge(triggers, { closing: closedAt(2, headSha) })).toEqual([
      { triggerId: "3", kind: "pull_request_closed", number: 7 },
    ]);
  });

  test("gives back what it has ended when another is open, and not what a newer trigger has", () => {
    const outdated = { standing: "outdated" } as const;
    const triggers = [aTrigger("1", at(1), outdated), aTrigger("2", at(2), outdated)];
    expect(judge(triggers, { closing: closedAt(2) })).toEqual([]);
    expect(judge(triggers)).toEqual([{ triggerId: "2", kind: "revived" }]);
  });
});

describe("a trigger that awaits its push (rule 14)", () => {
  const [b, c] = ["b".repeat(40), "c".repeat(40)];
  const reports = [
    { sha: b.slice(0, 12), updatedOn: "2026-11-01T00:00:01Z" },
    { sha: c.slice(0, 12), updatedOn: "2026-11-01T00:00:02Z" },
  ];
  const awaiting = aTrigger("c", at(2), { commitSha: c, awaitsPush: true });
  const pushed = aTrigger("b", at(3), { commitSha: b });

  test("is newer than an earlier head of its pull request, whose push came later, and is revived for it", () => {
    expect(judge([awaiting, pushed], { reports })).toEqual([
      { triggerId: "b", kind: "superseded", newerId: "c" },
    ]);
    expect(judge([{ ...awaiting, standing: "outdated" }, pushed], { reports })).toEqual([
      { triggerId: "b", kind: "superseded", newerId: "c" },
      { triggerId: "c", kind: "revived" },
    ]);
  });

  test("is not newer than what no report tells of, nor than a head that came back", () => {
    const cameBack = { sha: b, updatedOn: "2026-11-01T00:00:03Z" };
    for (const told of [[], reports.slice(1), reports.slice(0, 1), [cameBack, ...reports]]) {
      expect(judge([awaiting, pushed], { reports: told })).toEqual([
        { triggerId: "c", kind: "superseded", newerId: "b" },
      ]);
    }
  });

  test("is not newer than what came after a push that went on from it", () => {
    const left = (position: number) =>
      judge([awaiting, pushed], { reports, leavings: [{ sha: c, position }] });
    expect(left(3)).toEqual([{ triggerId: "c", kind: "superseded", newerId: "b" }]);
    expect(left(4)).toEqual([{ triggerId: "b", kind: "superseded", newerId: "c" }]);
  });

  test("is older than a later head, whose push came before, and than what a push brought that goes on from it", () => {
    const late = aTrigger("b", at(4), { commitSha: b, awaitsPush: true });
    const next = aTrigger("c", at(3), { commitSha: c });
    const isOlder = [{ triggerId: "b", kind: "superseded", newerId: "c" }];
    expect(judge([late, next], { reports })).toEqual(isOlder);
    expect(judge([late, next], { leavings: [{ sha: b, position: 3 }] })).toEqual(isOlder);
    const cameBack = [{ sha: b, updatedOn: "2026-11-01T00:00:03Z" }, ...reports];
    expect(judge([late, next], { reports: cameBack, leavings: [{ sha: b, position: 3 }] })).toEqual([
      { triggerId: "c", kind: "superseded", newerId: "b" },
    ]);
  });

  test("is not newer than a later head, wherever earlier ones took their places", () => {
    const later = aTrigger("d", at(4), { commitSha: "d".repeat(40) });
    expect(judge([awaiting, pushed, later], { reports }).map(({ triggerId }) => triggerId)).toEqual([
      "b",
      "c",
    ]);
  });

  test("ends with its pull request, and so do earlier heads, in whatever place (rule 22)", () => {
    const closing = { ...closedAt(2, c), awaitsPush: true };
    const elsewhere = { ...pushed, targetId: "database" };
    expect(judge([awaiting, elsewhere], { reports, closing })).toEqual([
      { triggerId: "c", kind: "pull_request_closed", number: 7 },
      { triggerId: "b", kind: "pull_request_closed", number: 7 },
    ]);
    expect(judge([elsewhere], { reports, closing: closedAt(2, c) })).toEqual([]);
  });
});

test("once all pushes have their places, the latest of each target waits, if the branch is there and its pull request is not closed: whatever was believed before", () => {
  const push = fc.record({ target: fc.constantFrom("network", "database"), deletes: fc.boolean() });
  const history = fc.array(push, { minLength: 1, maxLength: 7 }).chain((pushes) => {
    const places = pushes.map((_, place) => place);
    const shuffled = fc.shuffledSubarray(places, { minLength: places.length });
    const closed = fc.option(fc.constantFrom(...places));
    const belief = fc.record({ order: shuffled, isCertain: fc.boolean(), closed });
    return fc.record({
      pushes: fc.constant(pushes),
      told: shuffled,
      closed,
      beliefs: fc.array(belief, { minLength: places.length, maxLength: places.length }),
    });
  });
  fc.assert(
    fc.property(history, ({ pushes, told, closed: closedInTheEnd, beliefs }) => {
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
        const closing = closed === null ? null : closedAt(positionOf(closed));
        for (const { triggerId, kind } of judge(triggers, { deletion, closing, isCertain })) {
          standings.set(Number(triggerId), kind === "revived" ? "unclaimed" : "outdated");
        }
      };
      for (const [count, { order, isCertain, closed }] of beliefs.entries()) {
        look(told.slice(0, count + 1), (place) => order.indexOf(place), isCertain, closed);
      }
      look(told, (place) => place, true, closedInTheEnd);

      const waiting = [...standings].flatMap(([place, standing]) =>
        standing === "unclaimed" ? [place] : [],
      );
      const lastOf = (target: string) => pushes.findLastIndex((one) => !one.deletes && one.target === target);
      const lastDeletion = pushes.findLastIndex(({ deletes }) => deletes);
      const latest = ["network", "database"]
        .map(lastOf)
        .filter((place) => place > lastDeletion && place > (closedInTheEnd ?? -1));
      expect(waiting.toSorted((a, b) => a - b)).toEqual(latest.toSorted((a, b) => a - b));
    }),
  );
});
