import { createTestDatabase } from "@sluice/embedded/test-database";
import { migrateStore } from "@sluice/store/migrate";
import { finishTrigger } from "@sluice/store/trigger-reports";
import { describe, expect, inject, test } from "vitest";

import { ref } from "./test-pipeline.ts";
import { FORK, permutationsOf, useReports, type Told } from "./test-reports.ts";
import { resolveHeldEvent } from "./write/resolve-held.ts";

const A = "a".repeat(40);
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
  pushPlaces,
  reasonOf,
  record,
  report,
  rowsOf,
  stacks,
  statesOf,
  tell,
  updated,
  worker,
} = useReports(() =>
  createTestDatabase({ serverUrl: inject("postgresUrl"), migrate: migrateStore, key: "store" }),
);

describe("a commit of a pull request and its push (rules 14, 26)", () => {
  test("make one trigger, with the arrival and the place of the push, whichever is told first", async () => {
    for (const order of permutationsOf([0, 1, 2])) {
      await begin();
      const all = [push(A, B), opened(B), report("approved", B)];
      for (const place of order) await tell(all[place]!);
      const [pushed] = await pushPlaces();
      expect(await rowsOf(), `told as ${order.join(", ")}`).toMatchObject([
        {
          commitSha: B,
          state: "queued",
          awaitsPush: false,
          arrival: pushed?.arrival,
          position: pushed?.position,
        },
      ]);
    }
  });

  test("and the report that comes second says which trigger it would have repeated", async () => {
    const [pushed, first] = [push(A, B), opened(B)];
    await tell(pushed, first);
    const [row] = await rowsOf();
    expect(await worker().decisionsOf(first.id)).toMatchObject([
      { outcome: "ignore", reason: "duplicate", evidence: { duplicateOf: { triggerId: row?.id } } },
    ]);
  });

  test("a push that ran nothing for a target gives its place to what a report had made", async () => {
    await worker().store.sql`UPDATE sluice.targets SET enabled = false WHERE id = ${stacks()[0]!}`;
    await tell(opened(B), push(A, B));
    const [pushed] = await pushPlaces();
    expect(await rowsOf()).toMatchObject([{ awaitsPush: false, position: pushed?.position }]);
    await tell(report("approved", B));
    expect(await rowsOf()).toHaveLength(1);
  });

  test("that are taken over move with their push when an earlier one comes late", async () => {
    await tell(opened(C), push(B, C), push(A, B));
    const places = await pushPlaces();
    expect(places.map(({ newSha }) => newSha)).toEqual([B, C]);
    expect(await rowsOf()).toMatchObject([
      { commitSha: B, state: "superseded", position: places[0]?.position },
      { commitSha: C, state: "queued", position: places[1]?.position },
    ]);
  });

  test("make one trigger of each arrival when the pushes come in one job: the last one is that of the last report", async () => {
    const backAndForth = () => [push(A, B), push(B, C), push(C, B)] as const;
    await tell(opened(B));
    const [first] = await rowsOf();
    await worker().handle([...backAndForth()]);
    expect(await statesOf()).toEqual(["b superseded", "c superseded", "b queued"]);
    expect((await rowsOf()).at(-1)).toMatchObject({
      id: first?.id,
      position: (await pushPlaces()).at(-1)?.position,
    });
    await begin();
    await tell(opened(B), updated(C), updated(B));
    const told = await rowsOf();
    await worker().handle([...backAndForth()]);
    const places = await pushPlaces();
    expect(await rowsOf()).toMatchObject(
      told.map(({ id, state }, place) => ({
        id,
        state,
        position: places[place]?.position,
        awaitsPush: false,
      })),
    );
  });

  test("make one trigger also when the pull request is deleted as an old one while its report comes (decision 6)", async () => {
    const forget = () => worker().store.sql`DELETE FROM sluice.pull_requests`;
    const first = opened(B);
    await record(first);
    await forget();
    await decide(first);
    await tell(push(A, B));
    const [approval, end] = [report("approved", B), declined(B)];
    await record(approval);
    await forget();
    await worker().handleEvents();
    expect(await reasonOf(approval)).toBe("duplicate");
    await record(end);
    await forget();
    await worker().handleEvents();
    expect(await reasonOf(end)).toBe("closed");
    expect(await rowsOf()).toHaveLength(1);
  });

  test("two pull requests of one branch run its commit once, also before its push", async () => {
    await tell(opened(B), opened(B, { number: 8 }));
    expect(await rowsOf()).toHaveLength(1);
    await tell(push(A, B), report("approved", B), report("approved", B, { number: 8 }));
    expect(await rowsOf()).toMatchObject([{ state: "queued", awaitsPush: false }]);
  });

  test("run again when the head went away and came back, by reports alone, by pushes, and by both", async () => {
    await tell(opened(B), updated(C), updated(B));
    expect(await statesOf()).toEqual(["b superseded", "c superseded", "b queued"]);
    await begin();
    await tell(opened(B), push(A, B), push(B, C), push(C, B));
    expect(await statesOf()).toEqual(["b superseded", "c superseded", "b queued"]);
    await begin();
    await tell(opened(B), push(A, B), updated(C), push(B, C), push(C, B), updated(B));
    expect(await statesOf()).toEqual(["b superseded", "c superseded", "b queued"]);
  });
});

describe("a newer commit (rule 27)", () => {
  test("supersedes the older one, whether pushes or reports tell of them", async () => {
    for (const [first, second] of [
      [() => opened(B), () => push(B, C)],
      [() => push(A, B), () => updated(C)],
      [() => opened(B), () => updated(C)],
    ] as const) {
      await begin();
      await tell(first(), second());
      expect(await statesOf()).toEqual(["b superseded", "c queued"]);
    }
  });

  test("is the one that is left in any order of pushes and reports", async () => {
    for (const order of permutationsOf([0, 1, 2, 3])) {
      await begin();
      const all = [push(A, B), opened(B), push(B, C), updated(C)];
      for (const place of order) await tell(all[place]!);
      const places = await pushPlaces();
      expect(await liveOf(), `told as ${order.join(", ")}`).toEqual(["c"]);
      expect((await rowsOf()).at(-1)).toMatchObject({
        commitSha: C,
        position: places.at(-1)?.position,
      });
    }
  });

  test("asks the holder of one that a report made to stop", async () => {
    await tell(opened(B));
    await claim();
    await tell(updated(C));
    expect(await rowsOf()).toMatchObject([
      { commitSha: B, state: "claimed", cancelRequested: true },
      { commitSha: C, state: "queued" },
    ]);
  });

  test("makes a report of the old one stale, with the head as evidence, though it was looked at before", async () => {
    const old = opened(B);
    await record(old);
    await tell(updated(C));
    await decide(old);
    expect(await worker().decisionsOf(old.id)).toMatchObject([
      { outcome: "ignore", reason: "stale", evidence: { pullRequest: { head: C } } },
    ]);
    expect(await statesOf()).toEqual(["c queued"]);
  });
});

describe("a pull request that is declined (rule 22)", () => {
  test("ends what is queued up to its head, in any order of its push, its report and its end", async () => {
    for (const order of permutationsOf([0, 1, 2])) {
      await begin();
      const all = [push(A, B), opened(B), declined(B)];
      for (const place of order) await tell(all[place]!);
      expect(await liveOf(), `told as ${order.join(", ")}`).toEqual([]);
      const rows = await rowsOf();
      expect(rows).toMatchObject([
        { state: "canceled", message: "pull request #7 of its branch was closed without a merge" },
      ]);
    }
  });

  test("asks holders to stop, and leaves other branches and what is pushed later", async () => {
    await tell(push(A, B), opened(B), push(A, D, "other"));
    const held = await claim();
    await tell(declined(B));
    expect(await rowsOf()).toMatchObject([
      { id: held.id, state: "claimed", cancelRequested: true },
      { commitSha: D, state: "queued" },
    ]);
    await finishTrigger(worker().store, { ...held, result: "canceled" });
    await tell(push(B, C));
    expect(await liveOf()).toEqual(["d", "c"]);
  });

  test("ends nothing while another one of the branch is open, and gives back what it has ended when one is opened", async () => {
    await tell(opened(B), opened(B, { number: 8 }), declined(B));
    expect(await liveOf()).toEqual(["b"]);
    await tell(declined(B, { number: 8 }));
    expect(await liveOf()).toEqual([]);
    await tell(opened(B, { number: 9 }));
    expect(await statesOf()).toEqual(["b queued"]);
  });

  test("gives it back however long ago that was", async () => {
    await tell(push(A, B), opened(B), declined(B));
    await worker().store.sql`UPDATE sluice.triggers SET created_at = now() - interval '40 days'`;
    await tell(push(A, E, "other"), opened(B, { number: 8 }));
    expect(await liveOf()).toEqual(["b", "e"]);
  });

  test("makes a report of it closed, and a merge ends nothing", async () => {
    const late = opened(B);
    await record(late);
    await tell(declined(B));
    await decide(late);
    expect(await reasonOf(late)).toBe("closed");
    expect(await rowsOf()).toEqual([]);
    await tell(opened(C, { number: 8 }), report("fulfilled", C, { number: 8, state: "MERGED" }));
    expect(await liveOf()).toEqual(["c"]);
  });
});

describe("a fork (rule 11)", () => {
  const ofFork = { source: FORK } as const;

  test("with a branch of the same name touches nothing of ours, and is not touched", async () => {
    await tell(push(A, B), opened(B));
    await tell(opened(D, { ...ofFork, number: 8 }));
    expect(await liveOf()).toEqual(["b", "d"]);
    await tell(updated(E, { ...ofFork, number: 8 }));
    expect(await statesOf()).toEqual(["b queued", "d superseded", "e queued"]);
    await tell(push(B, C));
    expect(await statesOf()).toEqual(["b superseded", "d superseded", "e queued", "c queued"]);
    await tell(declined(E, { ...ofFork, number: 8 }), push(C, null));
    expect(await statesOf()).toEqual(["b superseded", "d superseded", "e canceled", "c canceled"]);
  });

  test("at a commit of ours keeps the run of it when our branch goes on, until it goes on itself (rule 26)", async () => {
    await tell(push(A, B), opened(B, ofFork), push(B, C));
    expect(await liveOf()).toEqual(["b", "c"]);
    await tell(updated(D, ofFork), push(C, E));
    expect(await liveOf()).toEqual(["d", "e"]);
  });

  test("whose pushes are told too concern its own targets alone", async () => {
    const own = await worker().aStack("of-fork", { repository: FORK.full_name });
    const change = { old: ref("feature", A), new: ref("feature", B), created: false, closed: false };
    const body = JSON.stringify({ repository: FORK, push: { changes: [change] } });
    await tell(
      opened(B, ofFork),
      worker().aDelivery(body),
      report("approved", B, ofFork),
      declined(B, ofFork),
    );
    expect(await rowsOf()).toMatchObject([{ state: "canceled", awaitsPush: true }]);
    expect(await rowsOf(own)).toMatchObject([{ state: "queued", commitSha: B }]);
  });
});

describe("what a person asks for (rule 24)", () => {
  const propose = (head: string) => report("comment_created", head, { isForced: true });

  test("is always a new run, which comes after everything and is superseded by the next push", async () => {
    await tell(push(A, B), opened(B));
    await finishTrigger(worker().store, { ...(await claim()), result: "succeeded" });
    await tell(propose(B), propose(B));
    expect(await statesOf()).toEqual(["b succeeded", "b superseded", "b queued"]);
    await tell(push(B, C));
    expect(await statesOf()).toEqual(["b succeeded", "b superseded", "b superseded", "c queued"]);
  });

  test("is run once when the comment was the first to tell of its head, whichever report is decided first", async () => {
    const [comment, approval] = [propose(B), report("approved", B)];
    await record(comment);
    await tell(approval);
    await decide(comment);
    expect(await statesOf()).toEqual(["b queued"]);
    expect(await reasonOf(comment)).toBe("duplicate");
  });

  test("is stale for an old head, and closed for a pull request that is over", async () => {
    const [old, late] = [opened(B), propose(B)];
    await tell(old);
    await record(late);
    await tell(updated(C));
    await decide(late);
    expect(await reasonOf(late)).toBe("stale");
    const over = propose(C);
    await record(over);
    await tell(declined(C));
    await decide(over);
    expect(await reasonOf(over)).toBe("closed");
  });
});

describe("a held run of a pull request (rule 17)", () => {
  const release = async ({ id }: Told) => {
    const [event] = await worker().store.sql<{ id: string }[]>`
      SELECT id FROM sluice.events WHERE delivery_id = ${id}`;
    const choice = { kind: "all" } as const;
    return resolveHeldEvent(worker().store, { eventId: event?.id ?? "", choice, by: "ada" });
  };
  const held = (head: string) => opened(head, { outcome: "hold" });

  test("is made when a person says so, with the place of its push", async () => {
    const waiting = held(B);
    await worker().store.sql`UPDATE sluice.targets SET enabled = false WHERE id = ${stacks()[0]!}`;
    await tell(waiting, push(A, B));
    expect(await release(waiting)).toMatchObject([{ outcome: "trigger" }]);
    const [pushed] = await pushPlaces();
    expect(await rowsOf()).toMatchObject([
      { commitSha: B, state: "queued", position: pushed?.position, awaitsPush: false },
    ]);
  });

  test("is a duplicate once the push has run, and stale once the head is another", async () => {
    const [first, second] = [held(B), held(B)];
    await tell(first, push(A, B));
    expect(await release(first)).toMatchObject([{ outcome: "ignore", reason: "duplicate" }]);
    await tell(second, updated(C));
    expect(await release(second)).toMatchObject([{ outcome: "ignore", reason: "stale" }]);
  });
});
