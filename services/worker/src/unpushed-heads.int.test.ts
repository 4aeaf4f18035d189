/** Which head is the newest while the pushes to some are late or lost. */
import { createTestDatabase } from "@sluice/embedded/test-database";
import { migrateStore } from "@sluice/store/migrate";
import { finishTrigger } from "@sluice/store/trigger-reports";
import { describe, expect, inject, test } from "vitest";

import { FORK, permutationsOf, useReports, type Told } from "./test-reports.ts";

const B = "b".repeat(40);
const C = "c".repeat(40);
const D = "d".repeat(40);
const E = "e".repeat(40);

const {
  begin,
  claim,
  decide,
  declined,
  liveOf,
  opened,
  push,
  reasonOf,
  record,
  report,
  rowsOf,
  runFor,
  stacks,
  statesOf,
  tell,
  updated,
  worker,
} = useReports(() =>
  createTestDatabase({ serverUrl: inject("postgresUrl"), migrate: migrateStore, key: "store" }),
);

describe("a head whose push is not told yet (rules 14, 27)", () => {
  test("stays the newest when an earlier head's push comes late, whether its own comes after that or never", async () => {
    await tell(opened(B), updated(C), push(null, B));
    expect(await statesOf()).toEqual(["c queued", "b superseded"]);
    expect(await rowsOf()).toMatchObject([{ awaitsPush: true }, { awaitsPush: false }]);
    await tell(push(B, C));
    expect(await statesOf()).toEqual(["b superseded", "c queued"]);
  });

  test("keeps its holder when an earlier head's push comes late, and nobody gets that one again", async () => {
    await tell(opened(B), updated(C));
    const held = await claim();
    await tell(push(null, B));
    const rows = [{ id: held.id, state: "claimed", cancelRequested: false }, { state: "superseded" }];
    expect(await rowsOf()).toMatchObject(rows);
    await finishTrigger(worker().store, { ...held, result: "succeeded" });
    await tell(push(B, C));
    expect(await statesOf()).toEqual(["b superseded", "c succeeded"]);
  });

  test("is the newest also when it is decided after that push", async () => {
    const [first, later] = [opened(B), updated(C)];
    await tell(first);
    await record(later);
    await tell(push(null, B));
    await decide(later);
    expect(await statesOf()).toEqual(["c queued", "b superseded"]);
  });

  test("is the newest also when only the push runs the earlier head, whose report was stale by then", async () => {
    const first = opened(B);
    await record(first);
    await tell(updated(C));
    await decide(first);
    expect(await reasonOf(first)).toBe("stale");
    await tell(push(null, B));
    expect(await statesOf()).toEqual(["c queued", "b superseded"]);
  });

  test("is the newest also when the earlier head's report comes late, in one job with its push", async () => {
    const { decide: _later, ...first } = opened(B);
    await tell(updated(C));
    const held = await claim();
    await worker().handle([first, push(null, B)]);
    expect(await rowsOf()).toMatchObject([
      { id: held.id, state: "claimed", cancelRequested: false },
      { commitSha: B, state: "superseded" },
    ]);
  });

  test("is the newest in any order of what is told, whichever pushes but one are lost", async () => {
    for (const pushed of [() => push(null, B), () => push(B, C), () => push(C, D)]) {
      for (const order of permutationsOf([0, 1, 2, 3])) {
        await begin();
        const all = [opened(B), updated(C), updated(D), pushed()];
        for (const place of order) await tell(all[place]!);
        expect(await liveOf(), `told as ${order.join(", ")}`).toEqual(["d"]);
      }
    }
  });

  test("is the newest of each target that it concerns, and of no other", async () => {
    const [network, database] = [stacks()[0] ?? "", await worker().aStack("database")];
    runFor([network, database]);
    await tell(opened(B), updated(C));
    runFor([network]);
    await tell(updated(D), push(null, B));
    expect(await liveOf(network)).toEqual(["d"]);
    expect(await liveOf(database)).toEqual(["c"]);
  });

  test("is not the newest any more once a push leaves it for an earlier head, whatever is told when", async () => {
    await tell(opened(B), updated(C), push(C, B));
    expect(await statesOf()).toEqual(["c superseded", "b queued"]);
    await tell(updated(B));
    expect(await statesOf()).toEqual(["c superseded", "b queued"]);
    await begin();
    await tell(opened(B), updated(C), push(C, D), push(null, B), push(B, C));
    expect(await liveOf()).toEqual(["d"]);
  });

  test("is not the newest any more once another pull request is opened at an earlier head", async () => {
    await tell(opened(B), updated(C), declined(C), opened(B, { number: 8 }));
    expect(await liveOf()).toEqual(["b"]);
    await tell(push(C, B), report("comment_created", C, { state: "DECLINED" }));
    expect(await liveOf()).toEqual(["b"]);
  });

  test("is ended with what was proposed for earlier heads when its pull request is declined (rule 22)", async () => {
    const database = await worker().aStack("database");
    runFor([...stacks(), database]);
    await tell(opened(B));
    runFor(stacks().slice(0, 1));
    await tell(updated(C), push(null, B), declined(C));
    expect(await statesOf()).toEqual(["c canceled", "b superseded"]);
    expect(await statesOf(database)).toEqual(["b canceled"]);
  });

  test("is the newest of its own branch alone: a fork's of the same name keeps its order (rule 11)", async () => {
    const ofFork = { source: FORK, number: 8 } as const;
    await tell(opened(D, ofFork), updated(E, ofFork), opened(B), updated(C), push(null, B));
    expect(await statesOf()).toEqual(["d superseded", "e queued", "c queued", "b superseded"]);
    await tell(push(B, C));
    expect(await statesOf()).toEqual(["d superseded", "e queued", "b superseded", "c queued"]);
  });
});

describe("a head to which the branch came back by a push that ran nothing (rules 14, 26, 27)", () => {
  /** Of these only `made` concerns the stack by its files; reports run for it always. */
  async function tellWith(made: Told, all: readonly Told[]): Promise<void> {
    for (const told of all) {
      await worker().store
        .sql`UPDATE sluice.targets SET enabled = ${told === made} WHERE id = ${stacks()[0]!}`;
      await tell(told);
    }
  }

  test("is the newest in any order of what is told, also when its report found the run of the time before", async () => {
    const [made, left, first, back, last] = [0, 1, 2, 3, 4] as const;
    for (const late of [left, back]) {
      for (const order of permutationsOf([made, left, first, back, last].filter((one) => one !== late))) {
        await begin();
        const all = [push(null, B), push(B, C), opened(C), push(C, B), updated(B)] as const;
        await tellWith(
          all[made],
          [...order, late].map((place) => all[place]),
        );
        expect(await liveOf(), `told as ${order.join(", ")}, ${String(late)}`).toEqual(["b"]);
      }
    }
  });

  test("keeps what its report made, whoever has that, and runs once more when it is reported again", async () => {
    const made = push(null, B);
    await tellWith(made, [opened(C), updated(B), made]);
    const held = await claim();
    await tellWith(made, [push(C, B), push(B, C)]);
    expect(await rowsOf()).toMatchObject([
      { id: held.id, state: "claimed", cancelRequested: false },
      { commitSha: C, state: "superseded" },
    ]);
    await tell(report("approved", B));
    expect(await liveOf()).toEqual(["b"]);
  });

  test("runs anew when a report tells of it, and what had run it before stays ended", async () => {
    const made = push(null, B);
    await tellWith(made, [made, opened(B), push(B, C), updated(C), push(C, B)]);
    expect(await statesOf()).toEqual(["b superseded", "c queued"]);
    await tell(updated(B));
    expect(await statesOf()).toEqual(["b superseded", "c superseded", "b queued"]);
  });
});
