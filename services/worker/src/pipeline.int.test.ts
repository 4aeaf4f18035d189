import { randomUUID } from "node:crypto";

import { AppError } from "@sluice/domain/app-error";
import { createTestDatabase, type TestDatabase } from "@sluice/embedded/test-database";
import { migrateQueueBackend, openQueueBackend, type QueueBackend } from "@sluice/queue/backend";
import { encodeDeliveries, type RawDelivery } from "@sluice/queue/delivery-codec";
import { createProducer, type Producer } from "@sluice/queue/producer";
import { parseQueueUrl } from "@sluice/queue/queue-url";
import { deliveriesQueue, eventsQueue, type EventPayload } from "@sluice/queue/queues";
import { createLogger } from "@sluice/runtime/logger";
import { openStore, type Store } from "@sluice/store/client";
import { migrateStore } from "@sluice/store/migrate";
import { insertIntegration, insertStack } from "@sluice/store/test-fixtures";
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from "vitest";

import { createPipeline, type Pipeline } from "./pipeline.ts";

const A = "a".repeat(40);
const B = "b".repeat(40);
const C = "c".repeat(40);

let database: TestDatabase;
let store: Store;
let backend: QueueBackend;
let events: Producer<EventPayload>;
let pipeline: Pipeline;
let integrationId: string;
let latencies: number[];

beforeAll(async () => {
  database = await createTestDatabase({
    serverUrl: inject("postgresUrl"),
    migrate: migrateStore,
    key: "store",
  });
  store = openStore({ url: database.url, maxConnections: 8, applicationName: "test" });
  await migrateQueueBackend(parseQueueUrl(database.url));
  backend = openQueueBackend(parseQueueUrl(database.url));
  events = createProducer(backend, eventsQueue);
  latencies = [];
  pipeline = newPipeline();
});

afterAll(async () => {
  await pipeline.drain();
  await events.close();
  await backend.close();
  await store.close();
  await database.drop();
});

beforeEach(async () => {
  integrationId = randomUUID();
  await insertIntegration(store, {
    id: integrationId,
    slug: `it-${integrationId}`,
    webhookSecretCiphertext: "not used here",
  });
});

function newPipeline(): Pipeline {
  return createPipeline({
    store,
    logger: createLogger({ service: "test", level: "silent", format: "json" }),
    deliveries: createProducer(backend, deliveriesQueue),
    events,
    clientOf: () => Promise.reject(new AppError("not_expected", "this test must not call Bitbucket")),
    observeLatencyMs: (latencyMs) => void latencies.push(latencyMs),
  });
}

type Change = Record<string, unknown>;

const ref = (name: string, hash: string, type = "branch") => ({ type, name, target: { hash } });

function aDelivery(
  changes: readonly Change[] | string,
  options: Partial<RawDelivery> & { uuid?: string } = {},
): RawDelivery {
  const { uuid = "{4f5b}", ...rest } = options;
  const body =
    typeof changes === "string"
      ? changes
      : JSON.stringify({ repository: { uuid, full_name: "acme/infra" }, push: { changes } });
  return {
    id: randomUUID(),
    integrationId,
    requestId: randomUUID(),
    hookId: null,
    eventKey: "repo:push",
    attempt: 1,
    secretVersion: "current",
    receivedAt: new Date().toISOString(),
    headers: {},
    body: Buffer.from(body),
    ...rest,
  };
}

async function handle(deliveries: readonly RawDelivery[], by = pipeline): Promise<void> {
  await by.handleDeliveries({
    payload: await encodeDeliveries(deliveries),
    jobId: "1",
    attempt: 1,
    enqueuedAt: new Date(),
    signal: new AbortController().signal,
  });
}

const aStack = (name: string, more: { trackedBranch?: string; projectRoot?: string } = {}) =>
  insertStack(store, { integrationId, repository: "acme/infra", name: `${name}-${integrationId}`, ...more });

const triggersOf = (targetId: string) => store.sql`
  SELECT run_type, commit_sha, base_sha, ref_name, state, position FROM sluice.triggers
  WHERE target_id = ${targetId} ORDER BY position`;

const decisionsOf = (deliveryId: string) => store.sql`
  SELECT events.index, decisions.target_id, decisions.outcome, decisions.run_type, decisions.reason, decisions.evidence,
         decisions.trigger_id
  FROM sluice.decisions JOIN sluice.events ON events.id = decisions.event_id
  WHERE events.delivery_id = ${deliveryId} ORDER BY events.index`;

const outcomeOf = async (deliveryId: string) =>
  (await store.sql`SELECT outcome, failure FROM sluice.deliveries WHERE id = ${deliveryId}`)[0];

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
    expect(latencies.length).toBeGreaterThanOrEqual(2);
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

  test("to a repository that no target uses is explained as a whole", async () => {
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
    const [event] = await store.sql<{ id: string }[]>`
      SELECT id FROM sluice.events WHERE delivery_id = ${delivery.id} AND decided_at IS NULL`;
    const { queue, close } = await backend.openQueue(eventsQueue.name);
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
    const other = newPipeline();
    await Promise.all([
      handle([delivery, delivery, delivery]),
      handle([delivery], other),
      handle([delivery, aDelivery([])], other),
    ]);
    await handle([delivery]);
    expect(await triggersOf(stack)).toHaveLength(1);
    expect(await decisionsOf(delivery.id)).toHaveLength(1);
    const [bodies] =
      await store.sql`SELECT count(*) FROM sluice.delivery_bodies WHERE delivery_id = ${delivery.id}`;
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
      await store.sql`SELECT id FROM sluice.triggers WHERE target_id = ${stack} AND commit_sha = ${B}`
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
    const workers = [newPipeline(), newPipeline(), newPipeline()];
    await Promise.all(
      workers.flatMap((worker) => [
        handle(deliveries.slice(0, 25), worker),
        handle(deliveries.slice(15), worker),
        handle(deliveries.toReversed(), worker),
      ]),
    );
    expect(await triggersOf(stack)).toHaveLength(40);
    const [undecided] = await store.sql`
      SELECT count(*) FROM sluice.events JOIN sluice.deliveries ON deliveries.id = delivery_id
      WHERE integration_id = ${integrationId} AND decided_at IS NULL`;
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
    const [kept] = await store.sql<{ body: Buffer }[]>`
      SELECT body FROM sluice.delivery_bodies WHERE delivery_id = ${bad.id}`;
    expect(kept?.body).toEqual(body);
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
    const { queue, close } = await backend.openQueue(deliveriesQueue.name);
    expect(await queue.getWaitingCount()).toBe(1);
    await close();
    await expect(handle([orphan])).rejects.toMatchObject({ code: "delivery_refused", retry: "never" });
  });
});

/** Makes the database refuse events of the ref `refuse-me` for as long as `work` takes. */
async function withCheck<R>(name: string, work: () => Promise<R>): Promise<R> {
  await store.sql.unsafe(`ALTER TABLE sluice.events ADD CONSTRAINT ${name} CHECK (ref_name <> 'refuse-me')`);
  try {
    return await work();
  } finally {
    await store.sql.unsafe(`ALTER TABLE sluice.events DROP CONSTRAINT ${name}`);
  }
}

function hashOf(index: number): string {
  return index.toString(16).padStart(40, "0");
}
