import { randomUUID } from "node:crypto";

import { createTestDatabase } from "@sluice/embedded/test-database";
import { deliveriesQueue, eventsQueue } from "@sluice/queue/queues";
import { findDeliveryBody } from "@sluice/store/delivery-bodies";
import { migrateStore } from "@sluice/store/migrate";
import { beforeAll, afterAll, beforeEach, describe, expect, inject, test } from "vitest";

import { ref, startTestPipeline, type TestPipeline } from "./test-pipeline.ts";

const A = "a".repeat(40);
const B = "b".repeat(40);
const C = "c".repeat(40);

let worker: TestPipeline;

beforeAll(async () => {
  const serverUrl = inject("postgresUrl");
  worker = await startTestPipeline(
    await createTestDatabase({ serverUrl, migrate: migrateStore, key: "store" }),
  );
});

afterAll(() => worker.close());

beforeEach(() => worker.begin());

const handle: TestPipeline["handle"] = (...args) => worker.handle(...args);
const aDelivery: TestPipeline["aDelivery"] = (...args) => worker.aDelivery(...args);
const aStack: TestPipeline["aStack"] = (...args) => worker.aStack(...args);
const triggersOf: TestPipeline["triggersOf"] = (...args) => worker.triggersOf(...args);
const decisionsOf: TestPipeline["decisionsOf"] = (...args) => worker.decisionsOf(...args);

const outcomeOf = async (deliveryId: string) =>
  (await worker.store.sql`SELECT outcome, failure FROM sluice.deliveries WHERE id = ${deliveryId}`)[0];

describe("a push", () => {
  test("to the tracked branch makes one tracked trigger, to another branch a proposed one, each explained (rules 19, 20)", async () => {
    const stack = await aStack("network");
    const delivery = aDelivery([
      { old: ref("main", A), new: ref("main", B) },
      { old: null, new: ref("feature/x", C), created: true },
    ]);
    await handle([delivery]);
    expect(await triggersOf(stack)).toMatchObject([
      { runType: "tracked", commitSha: B, baseSha: A, refName: "main", state: "queued" },
      { runType: "proposed", commitSha: C, baseSha: null, refName: "feature/x", state: "queued" },
    ]);
    expect(await decisionsOf(delivery.id)).toMatchObject([
      { targetId: stack, outcome: "trigger", reason: "triggered", runType: "tracked" },
      { targetId: stack, outcome: "trigger", reason: "triggered", runType: "proposed" },
    ]);
    expect(worker.latencies.length).toBeGreaterThanOrEqual(2);
  });

  test("of a tag, or that deletes a branch, runs nothing and says why (rules 20, 23)", async () => {
    const stack = await aStack("network");
    const delivery = aDelivery([
      { old: null, new: ref("v1.0.0", A, "tag"), created: true },
      { old: ref("old", A), new: null, closed: true },
    ]);
    await handle([delivery]);
    expect((await decisionsOf(delivery.id)).map(({ reason }) => reason)).toEqual(["tag", "branch_deleted"]);
    expect(await triggersOf(stack)).toEqual([]);
  });

  test("to a repository that no target uses is explained as a whole (rule 25)", async () => {
    const delivery = aDelivery([{ old: ref("main", A), new: ref("main", B) }]);
    await handle([delivery]);
    expect(await decisionsOf(delivery.id)).toMatchObject([{ targetId: null, reason: "no_target" }]);
  });

  test("without changes is a delivery without events", async () => {
    const delivery = aDelivery([]);
    await handle([delivery]);
    expect(await outcomeOf(delivery.id)).toEqual({ outcome: "no_events", failure: null });
  });

  test("whose targets need the changed files gets a job of its own, and is decided by it", async () => {
    await aStack("network", { projectRoot: "network" });
    const delivery = aDelivery([{ old: ref("main", A), new: ref("main", B) }]);
    await handle([delivery]);
    expect(await decisionsOf(delivery.id)).toEqual([]);
    const [event] = await worker.store.sql<{ id: string }[]>`
      SELECT id FROM sluice.events WHERE delivery_id = ${delivery.id} AND decided_at IS NULL`;
    const { queue, close } = await worker.backend.openQueue(eventsQueue.name);
    expect((await queue.getJob(event?.id ?? ""))?.data).toMatchObject({ eventId: event?.id });
    await close();
  });
});

describe("an event of a key that is not acted on", () => {
  test("is recorded as unsupported, its bytes kept (rule 10)", async () => {
    const delivery = aDelivery('{"any":"thing"}', { eventKey: "repo:fork" });
    await handle([delivery]);
    expect(await outcomeOf(delivery.id)).toMatchObject({ outcome: "unsupported" });
    expect(await decisionsOf(delivery.id)).toMatchObject([{ targetId: null, reason: "unsupported_event" }]);
  });
});

describe("exactly once", () => {
  test("the same delivery many times, in one job, in several, and by two workers at once, leaves one result (rule 9)", async () => {
    const stack = await aStack("network");
    const delivery = aDelivery([{ old: ref("main", A), new: ref("main", B) }]);
    const other = worker.newPipeline();
    await Promise.all([
      handle([delivery, delivery, delivery]),
      handle([delivery], other),
      handle([delivery, aDelivery([])], other),
    ]);
    await handle([delivery]);
    expect(await triggersOf(stack)).toHaveLength(1);
    expect(await decisionsOf(delivery.id)).toHaveLength(1);
    const [bodies] = await worker.store
      .sql`SELECT count(*) FROM sluice.delivery_bodies WHERE delivery_id = ${delivery.id}`;
    expect(bodies?.["count"]).toBe(1);
  });

  test("a commit that comes back after the branch was elsewhere, or gone, is a new trigger; a repeated report is not (rule 26)", async () => {
    const stack = await aStack("network");
    const to = (from: string | null, hash: string | null) =>
      aDelivery([
        { old: from === null ? null : ref("main", from), new: hash === null ? null : ref("main", hash) },
      ]);
    const repeated = to(A, B);
    for (const delivery of [to(null, A), to(A, B), repeated, to(B, A), to(A, null), to(null, A)]) {
      await handle([delivery]);
    }
    expect((await triggersOf(stack)).map(({ commitSha }) => commitSha)).toEqual([A, B, A, A]);
    const [duplicate] = await decisionsOf(repeated.id);
    const winner = (
      await worker.store.sql`SELECT id FROM sluice.triggers WHERE target_id = ${stack} AND commit_sha = ${B}`
    )[0];
    expect(duplicate).toMatchObject({
      reason: "duplicate",
      outcome: "ignore",
      evidence: { duplicateOf: { triggerId: winner?.["id"] } },
    });
  });

  test("a commit on two branches runs once while the first stays there, also when one push brings both (rule 26)", async () => {
    const stack = await aStack("network", { trackedBranch: "production" });
    const delivery = aDelivery([
      { old: null, new: ref("one", B), created: true },
      { old: null, new: ref("two", B), created: true },
    ]);
    await handle([delivery]);
    const [made, duplicate] = await decisionsOf(delivery.id);
    expect(made).toMatchObject({ reason: "triggered" });
    expect(duplicate).toMatchObject({
      reason: "duplicate",
      evidence: { duplicateOf: { triggerId: made?.["triggerId"] } },
    });
    await handle([aDelivery([{ old: ref("one", B), new: ref("one", C) }])]);
    await handle([aDelivery([{ old: null, new: ref("three", B), created: true }])]);
    expect(await triggersOf(stack)).toMatchObject([
      { refName: "one" },
      { refName: "one" },
      { refName: "three" },
    ]);
  });

  test("many workers with overlapping deliveries of one repository agree", async () => {
    const stack = await aStack("network");
    const deliveries = Array.from({ length: 40 }, (_, index) =>
      aDelivery([{ old: null, new: ref(`branch-${String(index)}`, hashOf(index)), created: true }]),
    );
    const workers = [worker.newPipeline(), worker.newPipeline(), worker.newPipeline()];
    await Promise.all(
      workers.flatMap((by) => [
        handle(deliveries.slice(0, 25), by),
        handle(deliveries.slice(15), by),
        handle(deliveries.toReversed(), by),
      ]),
    );
    expect(await triggersOf(stack)).toHaveLength(40);
    const [undecided] = await worker.store.sql`
      SELECT count(*) FROM sluice.events JOIN sluice.deliveries ON deliveries.id = delivery_id
      WHERE integration_id = ${worker.integrationId()} AND decided_at IS NULL`;
    expect(undecided?.["count"]).toBe(0);
  });
});

describe("a bad delivery", () => {
  test.each([
    ["not JSON", Buffer.from("hello"), "invalid_json", ""],
    ["invalid UTF-8", Buffer.from([0x22, 0xff, 0x22]), "invalid_utf8", ""],
    ["JSON of 10,000 levels", Buffer.from("[".repeat(10_000) + "]".repeat(10_000)), "invalid_payload", ""],
    [
      "the body of a pull request",
      Buffer.from('{"repository":{"uuid":"{r}","full_name":"a/b"},"pullrequest":{}}'),
      "invalid_payload",
      "push",
    ],
    [
      "a change without a hash",
      Buffer.from(
        '{"repository":{"uuid":"{r}","full_name":"a/b"},"push":{"changes":[{"new":{"type":"branch","name":"x","target":{}}}]}}',
      ),
      "invalid_payload",
      "push.changes[0].new.target.hash",
    ],
  ])("that is %s is kept as failed with the place, and its neighbours go on", async (_, body, code, path) => {
    const stack = await aStack("network");
    const bad = aDelivery("", { body });
    const good = aDelivery([{ old: ref("main", A), new: ref("main", B) }]);
    await handle([aDelivery([]), bad, good]);
    expect(await outcomeOf(bad.id)).toMatchObject({ outcome: "failed", failure: { code, path } });
    const kept = await findDeliveryBody(worker.store, bad.id);
    expect(Buffer.from(kept?.body ?? "")).toEqual(body);
    expect(await triggersOf(stack)).toHaveLength(1);
  });

  test("that the database refuses is set aside alone, its bytes kept, and its neighbours go on", async () => {
    const stack = await aStack("network");
    const good = aDelivery([{ old: ref("main", A), new: ref("main", B) }]);
    // A name that no index of Postgres can hold.
    const refused = await withCheck("refuse_me", () => {
      const bad = aDelivery([{ old: null, new: ref("refuse-me", C), created: true }]);
      return handle([aDelivery([]), good, bad, aDelivery([])]).then(() => bad);
    });
    expect(await outcomeOf(refused.id)).toMatchObject({
      outcome: "failed",
      failure: { code: "not_recordable", message: expect.stringContaining("refuse_me") as string },
    });
    expect(await triggersOf(stack)).toHaveLength(1);
  });

  test("that can be kept in no form gets a job of its own, which stays in the failed set", async () => {
    const stack = await aStack("network");
    const good = aDelivery([{ old: ref("main", A), new: ref("main", B) }]);
    const orphan = aDelivery([], { integrationId: randomUUID() });
    await handle([orphan, good]);
    expect(await triggersOf(stack)).toHaveLength(1);
    const { queue, close } = await worker.backend.openQueue(deliveriesQueue.name);
    expect(await queue.getWaitingCount()).toBe(1);
    await close();
    await expect(handle([orphan])).rejects.toMatchObject({ code: "delivery_refused", retry: "backoff" });
  });
});

/** Makes the database refuse events of the ref `refuse-me` for as long as `work` takes. */
async function withCheck<R>(name: string, work: () => Promise<R>): Promise<R> {
  await worker.store.sql.unsafe(
    `ALTER TABLE sluice.events ADD CONSTRAINT ${name} CHECK (ref_name <> 'refuse-me')`,
  );
  try {
    return await work();
  } finally {
    await worker.store.sql.unsafe(`ALTER TABLE sluice.events DROP CONSTRAINT ${name}`);
  }
}

function hashOf(index: number): string {
  return index.toString(16).padStart(40, "0");
}
