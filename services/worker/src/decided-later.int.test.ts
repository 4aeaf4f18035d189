import { createBitbucketClient } from "@sluice/bitbucket/client";
import { createTestDatabase } from "@sluice/embedded/test-database";
import { createBitbucket } from "@sluice/simulator/bitbucket";
import { DEFAULT_CREDENTIALS } from "@sluice/simulator/rest-auth";
import { startBitbucketServer, type BitbucketServer } from "@sluice/simulator/rest-server";
import type { WebhookEvent } from "@sluice/simulator/webhook-delivery";
import { migrateStore } from "@sluice/store/migrate";
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from "vitest";

import type { Pipeline } from "./pipeline.ts";
import { ref, startTestPipeline, type TestPipeline } from "./test-pipeline.ts";

const A = "a".repeat(40);
const B = "b".repeat(40);
const C = "c".repeat(40);
const D = "d".repeat(40);

let worker: TestPipeline;
let server: BitbucketServer;
const bitbucket = createBitbucket({ seed: "decided later" });

beforeAll(async () => {
  const serverUrl = inject("postgresUrl");
  worker = await startTestPipeline(
    await createTestDatabase({ serverUrl, migrate: migrateStore, key: "store" }),
  );
  server = await startBitbucketServer({ bitbucket });
});

afterAll(async () => {
  await server.close();
  await worker.close();
});

beforeEach(() => worker.begin());

const client = () =>
  createBitbucketClient({
    baseUrl: server.url,
    credential: { kind: "access_token", token: DEFAULT_CREDENTIALS[0]?.token ?? "" },
    credentialId: "one",
    budget: { take: () => Promise.resolve({ granted: true }), learn: () => Promise.resolve() },
    userAgent: "test",
  });

const to = (from: string, hash: string) =>
  worker.aDelivery([{ old: ref("feature", from), new: ref("feature", hash) }]);

const statesOf = async (stack: string) => (await worker.triggersOf(stack)).map(({ state }) => state);

/** Two pushes to a branch of a repository of its own, recorded. @returns ids of their events. */
async function recordTwo(slug: string, by: Pipeline) {
  const repository = bitbucket.createRepository({ workspace: "acme", slug });
  repository.push({ files: { "README.md": "1" } });
  const stack = await worker.aStack("network", { projectRoot: "network", repository: `acme/${slug}` });
  const ids: string[] = [];
  for (const content of ["1", "2"]) {
    const { webhooks } = repository.push({ branch: "feature", files: { "network/main.tf": content } });
    const delivery = toDelivery(webhooks[0]);
    await worker.handle([delivery], by);
    const rows = await worker.store.sql<{ id: string }[]>`
      SELECT id FROM sluice.events WHERE delivery_id = ${delivery.id} AND decided_at IS NULL`;
    ids.push(...rows.map(({ id }) => id));
  }
  return { stack, ids, repository };
}

/** Received so long ago that nothing that was told with it is on its way any more. */
const toDelivery = (webhook: WebhookEvent | undefined) =>
  worker.aDelivery("", {
    body: Buffer.from(JSON.stringify(webhook?.body)),
    receivedAt: new Date(Date.now() - 10_000).toISOString(),
  });

const decide = (eventId: string | undefined, by: Pipeline) =>
  by.handleEvent({
    payload: { v: 1, eventId: eventId ?? "" },
    jobId: "1",
    attempt: 1,
    enqueuedAt: new Date(),
    signal: new AbortController().signal,
  });

describe("pushes for which Bitbucket is asked (rules 23, 27)", () => {
  test.each([
    ["in their order", [0, 1]],
    ["the newer one first", [1, 0]],
  ])("two pushes that are decided %s leave the newer one's trigger", async (_, order) => {
    const asking = worker.newPipeline(worker.store, client());
    const { stack, ids } = await recordTwo(`decided-${order.join("-")}`, asking);
    for (const place of order) await decide(ids[place], asking);
    expect(await statesOf(stack)).toEqual(["superseded", "queued"]);
  });

  test("a push that is decided after its branch was deleted makes a trigger that is canceled at once", async () => {
    const asking = worker.newPipeline(worker.store, client());
    const { stack, ids, repository } = await recordTwo("deleted", asking);
    await decide(ids[0], asking);
    const { webhooks } = repository.deleteBranch("feature");
    await worker.handle([toDelivery(webhooks[0])], asking);
    await decide(ids[1], asking);
    expect(await statesOf(stack)).toEqual(["canceled", "canceled"]);
  });
});

describe("a push to a branch that nobody tracks, whose place is not known (rule 14)", () => {
  const unplaced = (receivedAt: string) =>
    worker.aDelivery([{ old: ref("feature", A), new: ref("feature", B) }], { receivedAt });
  const longAgo = () => new Date(Date.now() - 10 * 60_000).toISOString();

  test("waits for it, and after minutes is proposed all the same, also where nobody can be asked", async () => {
    const stack = await worker.aStack("network");
    await worker.handle([worker.aDelivery([{ old: ref("feature", C), new: ref("feature", D) }])]);
    const late = unplaced(new Date().toISOString());
    await worker.handle([late]);
    await expect(worker.handleEvents()).rejects.toMatchObject({ code: "not_expected" });
    expect(await worker.decisionsOf(late.id)).toEqual([]);
    await worker.store
      .sql`UPDATE sluice.events SET received_at = ${longAgo()} WHERE delivery_id = ${late.id}`;
    await worker.handleEvents();
    expect(await worker.decisionsOf(late.id)).toMatchObject([{ targetId: stack, reason: "triggered" }]);
  });

  test("whose branch a target tracks waits on", async () => {
    await worker.aStack("network", { trackedBranch: "feature" });
    await worker.handle([worker.aDelivery([{ old: ref("feature", C), new: ref("feature", D) }])]);
    await worker.handle([unplaced(longAgo())]);
    await expect(worker.handleEvents()).rejects.toMatchObject({ code: "not_expected" });
  });
});

describe("a limit on triggers (rule 30)", () => {
  test("an event that would make more triggers than one may makes none, and each target says so", async () => {
    const [limited, generous] = [2, 3].map((limit) => worker.newPipeline(worker.store, undefined, limit));
    const stacks = [];
    for (const name of ["network", "database", "dns"]) stacks.push(await worker.aStack(name));
    const many = to(A, B);
    await worker.handle([many], limited);
    expect((await Promise.all(stacks.map(worker.triggersOf))).flat()).toEqual([]);
    const refused = await worker.decisionsOf(many.id);
    expect(refused).toHaveLength(3);
    for (const decision of refused) {
      expect(decision).toMatchObject({
        outcome: "ignore",
        runType: null,
        reason: "run_limit",
        evidence: { runLimit: { triggers: 3, limit: 2 }, ref: { name: "feature" } },
      });
    }
    await worker.handle([to(B, C)], generous);
    expect((await Promise.all(stacks.map(worker.triggersOf))).flat()).toHaveLength(3);
  });

  test("the same for an event that Bitbucket was asked about", async () => {
    const limited = worker.newPipeline(worker.store, client(), 0);
    const { stack, ids } = await recordTwo("limited", limited);
    await decide(ids[0], limited);
    expect(await worker.triggersOf(stack)).toEqual([]);
    const reasons = await worker.store
      .sql`SELECT reason FROM sluice.decisions WHERE event_id = ${ids[0] ?? null}`;
    expect(reasons).toEqual([{ reason: "run_limit" }]);
  });
});
