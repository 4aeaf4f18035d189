import { createTestDatabase } from "@sluice/embedded/test-database";
import { claimTriggers } from "@sluice/store/claims";
import { migrateStore } from "@sluice/store/migrate";
import { finishTrigger, heartbeat, startTrigger, waitTrigger } from "@sluice/store/trigger-reports";
import { cancelTrigger } from "@sluice/store/trigger-interventions";
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from "vitest";

import type { Pipeline } from "./pipeline.ts";
import { ref, startTestPipeline, type TestPipeline } from "./test-pipeline.ts";
import { resolveHeldEvent } from "./write/resolve-held.ts";

const A = "a".repeat(40);
const B = "b".repeat(40);
const C = "c".repeat(40);
const D = "d".repeat(40);
const E = "e".repeat(40);

let worker: TestPipeline;

beforeAll(async () => {
  const serverUrl = inject("postgresUrl");
  worker = await startTestPipeline(
    await createTestDatabase({ serverUrl, migrate: migrateStore, key: "store" }),
  );
});

afterAll(() => worker.close());

beforeEach(async () => {
  await worker.store.sql`TRUNCATE sluice.triggers CASCADE`;
  await worker.begin();
});

/** A push to a branch; null: it was not there, or is not there any more. */
const push = (branch: string, from: string | null, hash: string | null) =>
  worker.aDelivery([
    {
      old: from === null ? null : ref(branch, from),
      new: hash === null ? null : ref(branch, hash),
      created: from === null,
      closed: hash === null,
    },
  ]);

/** A push to the branch that the tests are about. */
const to = (from: string | null, hash: string | null) => push("feature", from, hash);

async function tell(...deliveries: readonly ReturnType<typeof to>[]): Promise<void> {
  for (const delivery of deliveries) await worker.handle([delivery]);
}

interface Row {
  readonly id: string;
  readonly commitSha: string;
  readonly state: string;
  readonly cancelRequested: boolean;
  readonly attempt: number;
  readonly message: string | null;
}

/** Triggers of a target in the order of their places. */
async function rowsOf(stack: string): Promise<readonly Row[]> {
  return worker.store.sql<Row[]>`
    SELECT id, commit_sha, state, cancel_requested, attempt, message FROM sluice.triggers
    WHERE target_id = ${stack} ORDER BY position`;
}

const statesOf = async (stack: string) =>
  (await rowsOf(stack)).map(({ commitSha, state }) => [commitSha, state]);

const liveOf = async (stack: string) =>
  (await rowsOf(stack)).flatMap(({ commitSha, state }) => (state === "queued" ? [commitSha] : []));

async function historyOf(id: string | undefined) {
  const rows = await worker.store.sql<{ state: string; actor: string; note: string | null }[]>`
    SELECT state, actor, note FROM sluice.trigger_history WHERE trigger_id = ${id ?? null} ORDER BY at, id`;
  return rows.map(({ state, actor, note }) => ({ state, actor, note }));
}

async function claim(limit = 1) {
  return claimTriggers(worker.store, { limit, leaseMs: 60_000, holder: "runner-7" });
}

describe("a newer proposed trigger (rule 27)", () => {
  test("supersedes the one that nobody has claimed, and history names the newer one", async () => {
    const stack = await worker.aStack("network");
    await tell(to(A, B), to(B, C));
    const [older, newer] = await rowsOf(stack);
    const because = `trigger ${newer?.id ?? ""} is of a newer push to its branch`;
    expect(older).toMatchObject({
      commitSha: B,
      state: "superseded",
      message: because,
      cancelRequested: false,
    });
    expect(newer).toMatchObject({ commitSha: C, state: "queued", message: null });
    expect(await historyOf(older?.id)).toEqual([
      { state: "queued", actor: "worker", note: null },
      { state: "superseded", actor: "worker", note: because },
    ]);
    expect((await claim(9)).map(({ id }) => id)).toEqual([newer?.id]);
  });

  test("does the same when both come in one job", async () => {
    const stack = await worker.aStack("network");
    await worker.handle([to(A, B), to(B, C), to(C, D)]);
    expect(await statesOf(stack)).toEqual([
      [B, "superseded"],
      [C, "superseded"],
      [D, "queued"],
    ]);
  });

  test("of another branch, or of another target, supersedes nothing; nor does a push that makes none", async () => {
    const stack = await worker.aStack("network");
    await tell(to(A, B), push("other", A, C), push("main", A, D));
    expect(await liveOf(stack)).toEqual([B, C, D]);
    const late = await worker.aStack("database");
    await worker.store.sql`UPDATE sluice.targets SET enabled = false WHERE id = ${stack}`;
    await tell(to(B, E));
    expect(await liveOf(stack)).toEqual([B, C, D]);
    expect(await liveOf(late)).toEqual([E]);
  });

  test.each([
    ["claimed", []],
    ["running", [startTrigger]],
    ["waiting", [startTrigger, waitTrigger]],
  ] as const)("asks the holder of one that is %s to stop, once", async (state, reports) => {
    const stack = await worker.aStack("network");
    await tell(to(A, B));
    const [held] = await claim();
    for (const report of reports) await report(worker.store, { ...held!, leaseMs: 60_000 });
    const newest = to(B, C);
    await tell(newest, newest, to(C, D));
    const rows = await rowsOf(stack);
    expect(rows).toMatchObject([
      { state, cancelRequested: true, message: null },
      { state: "superseded", cancelRequested: false },
      { state: "queued", cancelRequested: false },
    ]);
    const note = `asked its holder to stop: trigger ${rows[1]?.id ?? ""} is of a newer push to its branch`;
    expect((await historyOf(held?.id)).filter((line) => line.actor === "worker")).toEqual([
      { state: "queued", actor: "worker", note: null },
      { state, actor: "worker", note },
    ]);
    expect(await heartbeat(worker.store, { ...held!, leaseMs: 60_000 })).toMatchObject({
      cancelRequested: true,
    });
    expect(await finishTrigger(worker.store, { ...held!, result: "canceled" })).toMatchObject({ kind: "ok" });
  });

  test("leaves alone what has ended, and tracked triggers", async () => {
    const stack = await worker.aStack("network");
    await tell(to(A, B));
    const [held] = await claim();
    await finishTrigger(worker.store, { ...held!, result: "succeeded" });
    await tell(to(B, C), push("main", A, B), push("main", B, C));
    expect(await statesOf(stack)).toEqual([
      [B, "succeeded"],
      [C, "queued"],
      [B, "queued"],
      [C, "queued"],
    ]);
  });

  test("supersedes one that a person releases after it was made", async () => {
    const stack = await worker.aStack("network", { projectRoot: "network" });
    const held = to(A, B);
    await tell(held);
    const [event] = await worker.store.sql<{ id: string }[]>`
      WITH decided AS (
        UPDATE sluice.events SET decided_at = now() WHERE delivery_id = ${held.id} RETURNING id
      )
      INSERT INTO sluice.decisions (event_id, target_id, outcome, run_type, reason, evidence)
      SELECT id, ${stack}, 'hold', 'proposed', 'held', '{}' FROM decided RETURNING event_id AS id`;
    await worker.store.sql`UPDATE sluice.targets SET project_root = '' WHERE id = ${stack}`;
    await tell(to(B, C));
    const released = await resolveHeldEvent(worker.store, {
      eventId: event?.id ?? "",
      choice: { kind: "all" },
      by: "ada",
    });
    expect(released).toMatchObject([{ outcome: "trigger", reason: "triggered" }]);
    expect(await statesOf(stack)).toEqual([
      [B, "superseded"],
      [C, "queued"],
    ]);
  });

  test("of a target that coalesces supersedes the tracked ones that nobody has had, and asks no holder to stop", async () => {
    const stack = await worker.aStack("network");
    await worker.store.sql`UPDATE sluice.targets SET coalesce = true WHERE id = ${stack}`;
    await tell(push("main", A, B));
    await claim();
    await tell(push("main", B, C), push("main", C, D));
    expect(await rowsOf(stack)).toMatchObject([
      { commitSha: B, state: "claimed", cancelRequested: false },
      { commitSha: C, state: "superseded", cancelRequested: false },
      { commitSha: D, state: "queued" },
    ]);
  });

  test("leaves a commit at which another branch stands that relies on its trigger (rule 26)", async () => {
    const stack = await worker.aStack("network");
    await tell(to(A, B), push("other", null, B), to(B, C));
    expect(await liveOf(stack)).toEqual([B, C]);
    await tell(push("other", B, D), to(C, E));
    expect(await liveOf(stack)).toEqual([D, E]);
  });
});

describe("a branch that is deleted (rule 23)", () => {
  test("cancels what nobody has claimed, of every target, and asks holders to stop", async () => {
    const stacks = [await worker.aStack("network"), await worker.aStack("database")];
    await tell(to(A, B));
    const [held] = await claim();
    const gone = to(B, null);
    await tell(push("other", A, C), gone, gone);
    const rows = (await Promise.all(stacks.map(rowsOf))).flat();
    const heldRow = rows.find(({ id }) => id === held?.id);
    expect(heldRow).toMatchObject({ state: "claimed", cancelRequested: true });
    expect((await historyOf(held?.id)).at(-1)).toEqual({
      state: "claimed",
      actor: "worker",
      note: "asked its holder to stop: its branch was deleted",
    });
    const [idle] = rows.filter(({ id, commitSha }) => commitSha === B && id !== held?.id);
    expect(idle).toMatchObject({ state: "canceled", message: "its branch was deleted" });
    expect((await historyOf(idle?.id)).map(({ state }) => state)).toEqual(["queued", "canceled"]);
    expect(rows.filter(({ state }) => state === "queued").map(({ commitSha }) => commitSha)).toEqual([C, C]);
  });

  test("leaves what is made when it comes back, and tracked triggers", async () => {
    const stack = await worker.aStack("network");
    await tell(push("main", A, B), push("main", B, null), to(A, B), to(B, null), to(null, B));
    expect(await statesOf(stack)).toEqual([
      [B, "queued"],
      [B, "canceled"],
      [B, "queued"],
    ]);
  });

  test("and is told late leaves what was pushed after it", async () => {
    const stack = await worker.aStack("network");
    await tell(to(A, B), to(null, D), to(B, null));
    expect(await liveOf(stack)).toEqual([D]);
  });
});

describe("pushes that come late leave the same triggers (rule 14)", () => {
  const HISTORIES: Record<string, readonly (readonly [string | null, string | null])[]> = {
    "three commits": [
      [A, B],
      [B, C],
      [C, D],
    ],
    "two commits, deleted": [
      [A, B],
      [B, C],
      [C, null],
    ],
    "made, deleted, and made again": [
      [null, B],
      [B, C],
      [C, null],
      [null, D],
    ],
    "forced back to where it was": [
      [A, B],
      [B, C],
      [C, B],
      [B, D],
    ],
  };

  test.each(Object.entries(HISTORIES))("%s, told in any order", async (_, history) => {
    const [, head] = history.at(-1) ?? [];
    for (const order of permutationsOf(history.map((__, place) => place))) {
      await worker.begin();
      const stack = await worker.aStack("network");
      for (const place of order) {
        const [from = null, hash = null] = history[place] ?? [];
        await tell(to(from, hash));
      }
      const live = head === null || head === undefined ? [] : [head];
      expect(await liveOf(stack), `told as ${order.join(", ")}`).toEqual(live);
    }
  });

  test.each(Object.entries(HISTORIES))("%s, all in one job in any order", async (_, history) => {
    const [, head] = history.at(-1) ?? [];
    for (const order of permutationsOf(history.map((__, place) => place))) {
      await worker.begin();
      const stack = await worker.aStack("network");
      await worker.handle(order.map((place) => to(...(history[place] ?? [null, null]))));
      const live = head === null || head === undefined ? [] : [head];
      expect(await liveOf(stack), `told as ${order.join(", ")}`).toEqual(live);
    }
  });

  test("while a push between them is missing, the one whose place is not known waits, and the other is not ended", async () => {
    const stack = await worker.aStack("network");
    await tell(to(C, D), to(A, B));
    expect(await liveOf(stack)).toEqual([D]);
    await tell(to(B, C));
    expect(await statesOf(stack)).toEqual([
      [B, "superseded"],
      [C, "superseded"],
      [D, "queued"],
    ]);
  });

  describe("what was ended before it was known to be the newest", () => {
    /** Nothing tells as yet that the branch was deleted before the first push that was told. */
    async function misjudge() {
      const stack = await worker.aStack("network");
      await tell(to(D, E), to(C, null));
      const [row] = await rowsOf(stack);
      expect(row).toMatchObject({ commitSha: E, state: "canceled" });
      return { stack, id: row?.id ?? "" };
    }

    test("is queued again when it is, and history says so", async () => {
      const { stack, id } = await misjudge();
      await tell(to(null, D));
      expect(await statesOf(stack)).toEqual([
        [D, "superseded"],
        [E, "queued"],
      ]);
      const lines = await historyOf(id);
      expect(lines.map(({ state }) => state)).toEqual(["queued", "canceled", "queued"]);
      expect(lines.at(-1)?.note).toBe("nothing newer has happened to its branch after all");
      expect(await claim(9)).toMatchObject([{ id }]);
    });

    test("stays ended after a day", async () => {
      const { stack, id } = await misjudge();
      await worker.store
        .sql`UPDATE sluice.triggers SET created_at = now() - interval '25 hours' WHERE id = ${id}`;
      await tell(to(null, D));
      expect(await liveOf(stack)).toEqual([]);
    });
  });

  test("what a person canceled, or its holder, stays canceled", async () => {
    const stack = await worker.aStack("network");
    await tell(to(C, D), push("other", C, E));
    const [first, second] = await rowsOf(stack);
    await cancelTrigger(worker.store, { id: first?.id ?? "", by: "ada" });
    const [held] = await claim();
    expect(held?.id).toBe(second?.id);
    await finishTrigger(worker.store, { ...held!, result: "canceled" });
    await tell(to(B, C), push("other", B, C), to(A, B));
    expect(await liveOf(stack)).toEqual([]);
  });

  test("a late push is superseded as it is made, and its holder-to-be never sees it", async () => {
    const stack = await worker.aStack("network");
    await tell(to(B, C), to(A, B));
    const [late, newest] = await rowsOf(stack);
    expect(late).toMatchObject({ commitSha: B, state: "superseded", attempt: 0 });
    expect((await claim(9)).map(({ id }) => id)).toEqual([newest?.id]);
  });
});

describe("at the same time", () => {
  const hashOf = (index: number) => index.toString(16).padStart(40, "0");
  const COMMITS = 30;
  const pushes = () => Array.from({ length: COMMITS }, (_, index) => to(hashOf(index), hashOf(index + 1)));

  test("two workers with the same pushes end each trigger once, and leave the newest", async () => {
    const stack = await worker.aStack("network");
    const all = pushes();
    const other = worker.newPipeline();
    const tellAll = async (by: Pipeline) => {
      for (const delivery of all) await worker.handle([delivery], by);
    };
    await Promise.all([tellAll(worker.pipeline), tellAll(other), worker.handle(all, other)]);
    expect(await liveOf(stack)).toEqual([hashOf(COMMITS)]);
    const lines = await worker.store.sql<{ count: number }[]>`
      SELECT count(*)::int AS count FROM sluice.trigger_history JOIN sluice.triggers ON triggers.id = trigger_id
      WHERE target_id = ${stack} AND trigger_history.state = 'superseded' GROUP BY trigger_id`;
    expect(lines.map(({ count }) => count)).toEqual(Array.from({ length: COMMITS - 1 }, () => 1));
  });

  test("a trigger that is claimed while a newer one comes is superseded or asked to stop, never missed", async () => {
    const stack = await worker.aStack("network");
    const told = new AbortController();
    const claimUntilTold = async () => {
      while (!told.signal.aborted) await claim();
    };
    const tellAll = async () => {
      for (const delivery of pushes()) await worker.handle([delivery]);
    };
    await Promise.all([claimUntilTold(), claimUntilTold(), tellAll().finally(() => told.abort())]);
    const rows = await rowsOf(stack);
    expect(rows).toHaveLength(COMMITS);
    for (const { state, attempt, cancelRequested } of rows.slice(0, -1)) {
      expect({ state, attempt, cancelRequested }).toEqual(
        attempt > 0
          ? { state: "claimed", attempt: 1, cancelRequested: true }
          : { state: "superseded", attempt: 0, cancelRequested: false },
      );
    }
    expect(rows.at(-1)).toMatchObject({ commitSha: hashOf(COMMITS), cancelRequested: false });
  });
});

function permutationsOf(items: readonly number[]): number[][] {
  if (items.length === 0) return [[]];
  return items.flatMap((item) =>
    permutationsOf(items.filter((other) => other !== item)).map((rest) => [item, ...rest]),
  );
}
