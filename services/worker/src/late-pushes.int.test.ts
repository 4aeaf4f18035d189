import { randomBytes } from "node:crypto";

import { createTestDatabase } from "@sluice/embedded/test-database";
import { encodeDeliveries } from "@sluice/queue/delivery-codec";
import { openStore } from "@sluice/store/client";
import { migrateStore } from "@sluice/store/migrate";
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from "vitest";

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

describe("pushes that come late (rule 14)", () => {
  const to = (from: string, hash: string) => aDelivery([{ old: ref("main", from), new: ref("main", hash) }]);
  const D = "d".repeat(40);
  const commitsOf = async (stack: string) => (await triggersOf(stack)).map(({ commitSha }) => commitSha);

  test("are claimed before the pushes that came after them, and leave the branch where it is", async () => {
    const stack = await aStack("network");
    for (const delivery of [to(C, D), to(B, C), to(A, B)]) await handle([delivery]);
    expect(await commitsOf(stack)).toEqual([B, C, D]);
    const [branch] = await worker.store.sql`
      SELECT head_sha FROM sluice.branches JOIN sluice.repositories ON repositories.id = repository_id
      WHERE integration_id = ${worker.integrationId()}`;
    expect(branch).toEqual({ headSha: D });
  });

  test("the same in one batch", async () => {
    const stack = await aStack("network");
    await handle([to(C, D), to(B, C), to(A, B)]);
    expect(await commitsOf(stack)).toEqual([B, C, D]);
  });

  test("are stale once a later commit was handed out", async () => {
    const stack = await aStack("network");
    await handle([to(B, C)]);
    await worker.store
      .sql`UPDATE sluice.triggers SET attempt = 1, state = 'succeeded' WHERE target_id = ${stack}`;
    const late = to(A, B);
    await handle([late]);
    expect(await commitsOf(stack)).toEqual([C]);
    const [later] = await worker.store.sql`SELECT id FROM sluice.triggers WHERE target_id = ${stack}`;
    expect(await decisionsOf(late.id)).toMatchObject([
      { outcome: "ignore", reason: "stale", evidence: { overtakenBy: { triggerId: later?.["id"] } } },
    ]);
  });

  test("said once more by a second hook, are duplicates", async () => {
    const stack = await aStack("network");
    for (const delivery of [to(A, B), to(B, C), to(A, B), to(B, C)]) await handle([delivery]);
    expect(await commitsOf(stack)).toEqual([B, C]);
  });

  test("a force push back and forth is not late: each arrival runs (rule 26)", async () => {
    const stack = await aStack("network");
    for (const delivery of [to(A, B), to(B, C), to(C, B), to(B, C)]) await handle([delivery]);
    expect(await commitsOf(stack)).toEqual([B, C, B, C]);
  });

  test("a large job that was taken before a small one is recorded before it", async () => {
    const stack = await aStack("network");
    const large = Array.from({ length: 90 }, () =>
      aDelivery("", { eventKey: "repo:fork", body: randomBytes(4_000) }),
    );
    const jobs = [await encodeDeliveries([...large, to(A, B)]), await encodeDeliveries([to(B, C)])];
    await Promise.all(jobs.map((job) => worker.take(job)));
    expect(await commitsOf(stack)).toEqual([B, C]);
    const rows = await worker.store.sql`
      SELECT new_sha FROM sluice.events JOIN sluice.deliveries ON deliveries.id = delivery_id
      WHERE integration_id = ${worker.integrationId()} AND kind = 'push' ORDER BY events.recorded_at, sequence`;
    expect(rows.map(({ newSha }) => newSha)).toEqual([B, C]);
  });

  test("jobs that are handed out in a jumble are recorded in the order in which they were received", async () => {
    await aStack("network");
    const at = (ms: number) => ({ receivedAt: new Date(Date.UTC(2026, 0, 1) + ms).toISOString() });
    const received = [to(A, B), to(B, C), to(C, D)].map((delivery, ms) => ({ ...delivery, ...at(ms) }));
    // The first is committed at once, and the others wait meanwhile.
    const first = { ...aDelivery("", { eventKey: "repo:fork" }), ...at(9) };
    const handedOut = [first, ...received.toReversed()];
    const jobs = await Promise.all(handedOut.map((delivery) => encodeDeliveries([delivery])));
    await Promise.all(jobs.map((job) => worker.take(job)));
    const rows = await worker.store.sql`
      SELECT new_sha FROM sluice.events JOIN sluice.deliveries ON deliveries.id = delivery_id
      WHERE integration_id = ${worker.integrationId()} AND kind = 'push' ORDER BY events.id`;
    expect(rows.map(({ newSha }) => newSha)).toEqual([B, C, D]);
  });
});

describe("what is no fault of a delivery", () => {
  test("a database that takes no writes refuses nobody: the job waits", async () => {
    await aStack("network");
    const delivery = aDelivery([{ old: ref("main", A), new: ref("main", B) }]);
    const [{ name }] = await worker.store.sql<[{ name: string }]>`SELECT current_database() AS name`;
    const readOnly = openStore({
      url: worker.databaseUrl,
      maxConnections: 4,
      applicationName: "test-read-only",
    });
    await worker.store.sql.unsafe(`ALTER DATABASE ${name} SET default_transaction_read_only = on`);
    try {
      const waiting = worker.newPipeline(readOnly);
      await expect(handle([delivery, aDelivery([])], waiting)).rejects.toMatchObject({
        code: "postgres_unavailable",
        retry: { afterMs: expect.any(Number) as number },
      });
    } finally {
      await worker.store.sql.unsafe(`ALTER DATABASE ${name} SET default_transaction_read_only = off`);
      await readOnly.close();
    }
    await handle([delivery]);
    expect(await outcomeOf(delivery.id)).toMatchObject({ outcome: "events" });
  });

  test("an event whose targets were detached meanwhile is decided without a credential (rule 5)", async () => {
    const stack = await aStack("network", { projectRoot: "network" });
    const delivery = aDelivery([{ old: ref("main", A), new: ref("main", B) }]);
    await handle([delivery]);
    await worker.store.sql`UPDATE sluice.targets SET integration_id = NULL WHERE id = ${stack}`;
    const [event] = await worker.store.sql<{ id: string }[]>`
      SELECT id FROM sluice.events WHERE delivery_id = ${delivery.id}`;
    await worker.pipeline.handleEvent({
      payload: { v: 1, eventId: event?.id ?? "" },
      jobId: "1",
      attempt: 1,
      enqueuedAt: new Date(),
      signal: new AbortController().signal,
    });
    expect(await decisionsOf(delivery.id)).toMatchObject([
      { targetId: stack, reason: "integration_detached" },
    ]);
  });
});
