import type { Evidence } from "@sluice/domain/decide";
import { createTestDatabase } from "@sluice/embedded/test-database";
import type { RawDelivery } from "@sluice/queue/delivery-codec";
import { claimTriggers } from "@sluice/store/claims";
import { findPendingEvent } from "@sluice/store/pending-events";
import { migrateStore } from "@sluice/store/migrate";
import { withTransaction } from "@sluice/store/transaction";
import { finishTrigger } from "@sluice/store/trigger-reports";
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from "vitest";

import { ref, startTestPipeline, type TestPipeline } from "./test-pipeline.ts";
import { resolveHeldEvent } from "./write/resolve-held.ts";
import { writeDecided } from "./write/write-decided.ts";

const A = "a".repeat(40);
const B = "b".repeat(40);
const C = "c".repeat(40);
const D = "d".repeat(40);
const E = "e".repeat(40);

const OURS = { uuid: "{4f5b}", full_name: "acme/infra" };
const FORK = { uuid: "{9c01}", full_name: "grace/infra" };

let worker: TestPipeline;
/** Targets for which every report asks for a run. */
let stacks: string[];
/** Of `updated_on`. */
let clock: number;

beforeAll(async () => {
  const serverUrl = inject("postgresUrl");
  worker = await startTestPipeline(
    await createTestDatabase({ serverUrl, migrate: migrateStore, key: "store" }),
  );
});

afterAll(() => worker.close());

beforeEach(async () => {
  await worker.store.sql`TRUNCATE sluice.triggers CASCADE`;
  await begin();
});

async function begin(): Promise<void> {
  await worker.begin();
  stacks = [await worker.aStack("network")];
  clock = 0;
}

/** Something that is told: the order in which it is made is the order in which it happened. */
type Told = RawDelivery & { readonly decide?: Report };

interface Report {
  readonly key: string;
  readonly number: number;
  readonly head: string;
  readonly branch: string;
  readonly source: typeof OURS;
  readonly isForced: boolean;
  readonly outcome: "trigger" | "hold" | "ignore";
}

const push = (from: string | null, hash: string | null, branch = "feature"): Told =>
  worker.aDelivery([
    {
      old: from === null ? null : ref(branch, from),
      new: hash === null ? null : ref(branch, hash),
      created: from === null,
      closed: hash === null,
    },
  ]);

/** A report of pull request 7, and what is decided for every stack. */
function report(key: string, head: string, more: Partial<Report> & { readonly state?: string } = {}): Told {
  const { number = 7, branch = "feature", source = OURS, isForced = false, state = "OPEN" } = more;
  const outcome = more.outcome ?? (state === "OPEN" ? "trigger" : "ignore");
  clock += 1;
  const body = {
    repository: OURS,
    actor: { type: "user", uuid: "{ada}", display_name: "Ada" },
    pullrequest: {
      id: number,
      title: "Add the audit account",
      state,
      updated_on: new Date(Date.UTC(2026, 10, 1) + clock * 1000).toISOString(),
      source: { branch: { name: branch }, commit: { hash: head.slice(0, 12) }, repository: source },
      destination: { branch: { name: "main" }, commit: { hash: A.slice(0, 12) }, repository: OURS },
    },
    ...(key === "approved" ? { approval: { user: { uuid: "{ada}" } } } : {}),
    ...(key === "comment_created"
      ? { comment: { id: clock, content: { raw: "/sluice propose" }, user: { uuid: "{ada}" } } }
      : {}),
  };
  const delivery = worker.aDelivery(JSON.stringify(body), { eventKey: `pullrequest:${key}` });
  return { ...delivery, decide: { key, number, head, branch, source, isForced, outcome } };
}

const opened = (head: string, more?: Parameters<typeof report>[2]) => report("created", head, more);
const updated = (head: string, more?: Parameters<typeof report>[2]) => report("updated", head, more);
const declined = (head: string, more?: Parameters<typeof report>[2]) =>
  report("rejected", head, { ...more, state: "DECLINED" });

/** Records, and decides what the stages before would have decided. */
async function tell(...all: readonly Told[]): Promise<void> {
  for (const told of all) {
    await record(told);
    await decide(told);
  }
}

async function record({ decide: _decide, ...delivery }: Told): Promise<void> {
  await worker.handle([delivery]);
}

async function decide({ id, decide: asked }: Told): Promise<void> {
  if (asked === undefined) return;
  const { head: commitSha, isForced, outcome } = asked;
  const [event] = await worker.store.sql<{ id: string }[]>`
    SELECT id FROM sluice.events WHERE delivery_id = ${id}`;
  const pending = await findPendingEvent(worker.store, event?.id ?? "");
  if (pending === null) throw new Error("the report is not there, or decided");
  const evidence: Evidence = {};
  const decisions = stacks.map((targetId) => ({
    targetId,
    decision:
      outcome === "trigger"
        ? ({ outcome, runType: "proposed", reason: "triggered", evidence } as const)
        : outcome === "hold"
          ? ({ outcome, runType: "proposed", reason: "held", evidence } as const)
          : ({ outcome, reason: "closed", evidence } as const),
  }));
  await withTransaction(worker.store, (tx) =>
    writeDecided(tx, [{ pending, commitSha, decisions, isForced }]),
  );
}

async function rowsOf(stack = stacks[0] ?? "") {
  return worker.store.sql<
    {
      id: string;
      commitSha: string;
      state: string;
      arrival: number;
      position: number;
      awaitsPush: boolean;
      cancelRequested: boolean;
      message: string | null;
    }[]
  >`
    SELECT id, commit_sha, state, branch_arrival AS arrival, position, awaits_push, cancel_requested, message
    FROM sluice.triggers WHERE target_id = ${stack} ORDER BY position, id`;
}

const statesOf = async (stack?: string) =>
  (await rowsOf(stack)).map(({ commitSha, state }) => `${commitSha[0] ?? ""} ${state}`);

const liveOf = async (stack?: string) =>
  (await rowsOf(stack)).flatMap(({ commitSha, state }) => (state === "queued" ? [commitSha[0]] : []));

async function reasonOf({ id }: Told) {
  const [decision] = await worker.decisionsOf(id);
  return decision?.["reason"];
}

async function pushPlaces() {
  return worker.store.sql<{ newSha: string; arrival: number; position: number }[]>`
    SELECT new_sha, branch_arrival AS arrival, sequence AS position FROM sluice.events
    JOIN sluice.deliveries ON deliveries.id = delivery_id
    WHERE kind = 'push' AND integration_id = ${worker.integrationId()} ORDER BY sequence`;
}

async function claim() {
  const [held] = await claimTriggers(worker.store, { limit: 1, leaseMs: 60_000, holder: "runner-7" });
  if (held === undefined) throw new Error("nothing can be claimed");
  return held;
}

function permutationsOf<T>(items: readonly T[]): T[][] {
  if (items.length === 0) return [[]];
  return items.flatMap((item, place) =>
    permutationsOf(items.filter((_, other) => other !== place)).map((rest) => [item, ...rest]),
  );
}

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
    expect(await worker.decisionsOf(first.id)).toMatchObject([
      { outcome: "ignore", reason: "duplicate", evidence: { duplicateOf: { triggerId: row?.id } } },
    ]);
  });

  test("a push that ran nothing for a target gives its place to what a report had made", async () => {
    await worker.store.sql`UPDATE sluice.targets SET enabled = false WHERE id = ${stacks[0]!}`;
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
    expect(await worker.decisionsOf(old.id)).toMatchObject([
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
    await finishTrigger(worker.store, { ...held, result: "canceled" });
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
    await worker.store.sql`UPDATE sluice.triggers SET created_at = now() - interval '40 days'`;
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
    const own = await worker.aStack("of-fork", { repository: FORK.full_name });
    const change = { old: ref("feature", A), new: ref("feature", B), created: false, closed: false };
    const body = JSON.stringify({ repository: FORK, push: { changes: [change] } });
    await tell(opened(B, ofFork), worker.aDelivery(body), report("approved", B, ofFork), declined(B, ofFork));
    expect(await rowsOf()).toMatchObject([{ state: "canceled", awaitsPush: true }]);
    expect(await rowsOf(own)).toMatchObject([{ state: "queued", commitSha: B }]);
  });
});

describe("what a person asks for (rule 24)", () => {
  const propose = (head: string) => report("comment_created", head, { isForced: true });

  test("is always a new run, which comes after everything and is superseded by the next push", async () => {
    await tell(push(A, B), opened(B));
    await finishTrigger(worker.store, { ...(await claim()), result: "succeeded" });
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
    const [event] = await worker.store.sql<{ id: string }[]>`
      SELECT id FROM sluice.events WHERE delivery_id = ${id}`;
    const choice = { kind: "all" } as const;
    return resolveHeldEvent(worker.store, { eventId: event?.id ?? "", choice, by: "ada" });
  };
  const held = (head: string) => opened(head, { outcome: "hold" });

  test("is made when a person says so, with the place of its push", async () => {
    const waiting = held(B);
    await worker.store.sql`UPDATE sluice.targets SET enabled = false WHERE id = ${stacks[0]!}`;
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
