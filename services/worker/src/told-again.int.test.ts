/** What one hook tells twice is one push, until the branch turns out to have gone there twice (rule 14, decision 5). */
import { createBitbucketClient } from "@sluice/bitbucket/client";
import { createTestDatabase } from "@sluice/embedded/test-database";
import type { RawDelivery } from "@sluice/queue/delivery-codec";
import { createBitbucket } from "@sluice/simulator/bitbucket";
import { DEFAULT_CREDENTIALS } from "@sluice/simulator/rest-auth";
import { startBitbucketServer, type BitbucketServer } from "@sluice/simulator/rest-server";
import type { WebhookEvent } from "@sluice/simulator/webhook-delivery";
import { claimTriggers } from "@sluice/store/claims";
import { migrateStore } from "@sluice/store/migrate";
import { afterAll, beforeAll, beforeEach, expect, inject, test } from "vitest";

import type { Pipeline } from "./pipeline.ts";
import { ref, startTestPipeline, type TestPipeline } from "./test-pipeline.ts";

const bitbucket = createBitbucket({ seed: "told again" });
let server: BitbucketServer;
let worker: TestPipeline;
let asking: Pipeline;

beforeAll(async () => {
  server = await startBitbucketServer({ bitbucket });
  worker = await startTestPipeline(
    await createTestDatabase({ serverUrl: inject("postgresUrl"), migrate: migrateStore, key: "store" }),
  );
  const client = createBitbucketClient({
    baseUrl: server.url,
    credential: { kind: "access_token", token: DEFAULT_CREDENTIALS[0]?.token ?? "" },
    credentialId: "told again",
    budget: { take: () => Promise.resolve({ granted: true }), learn: () => Promise.resolve() },
    userAgent: "test",
  });
  asking = worker.newPipeline(worker.store, client);
});

afterAll(async () => {
  await server.close();
  await worker.close();
});

beforeEach(async () => {
  await worker.store.sql`TRUNCATE sluice.triggers CASCADE`;
  await worker.begin();
});

/** Always by the same hook, and so long ago that nothing which is missing is waited for any more. */
const byTheHook = (): Partial<RawDelivery> => ({
  hookId: "the one hook",
  receivedAt: new Date(Date.now() - 121_000).toISOString(),
});

function delivered({ webhooks }: { readonly webhooks: readonly WebhookEvent[] }): RawDelivery {
  return worker.aDelivery(JSON.stringify(webhooks[0]?.body), byTheHook());
}

async function eventOf(delivery: RawDelivery): Promise<string> {
  const [event] = await worker.store.sql<{ id: string }[]>`
    SELECT id FROM sluice.events WHERE delivery_id = ${delivery.id}`;
  return event?.id ?? "";
}

async function resolve(delivery: RawDelivery): Promise<void> {
  const eventId = await eventOf(delivery);
  const run = { jobId: eventId, attempt: 1, enqueuedAt: new Date(), signal: new AbortController().signal };
  await asking.handleEvent({ payload: { v: 1, eventId }, ...run });
}

/** Claims and finishes everything, one after another. */
async function claimAll(): Promise<string[]> {
  const claimed: string[] = [];
  for (;;) {
    const claims = await claimTriggers(worker.store, { limit: 100, leaseMs: 60_000, holder: "runner-7" });
    if (claims.length === 0) return claimed;
    const rows = await worker.store.sql<{ commitSha: string }[]>`
      UPDATE sluice.triggers SET state = 'succeeded' WHERE id = ANY(${claims.map(({ id }) => id)}::uuid[])
      RETURNING commit_sha`;
    claimed.push(...rows.map(({ commitSha }) => commitSha));
  }
}

test("a push that was told again, decided before the first report of it, and turns out to be a push of its own is decided anew (rule 14)", async () => {
  const repository = bitbucket.createRepository({ workspace: "acme", slug: "decided-first" });
  const made = repository.push({ files: { "network/main.tf": "1" } });
  const stack = await worker.aStack("network", { projectRoot: "network", repository: "acme/decided-first" });
  await worker.handle([delivered(made)], asking);
  await worker.handleEvents(asking);

  const there = repository.push({ files: { "network/main.tf": "2" } });
  const [first, again] = [delivered(there), delivered(there)];
  await worker.handle([first], asking);
  await worker.handle([again], asking);
  await resolve(again);
  await resolve(first);

  const back = repository.push({ from: made.hash, force: true });
  repository.push({ from: there.hash, force: true });
  await worker.handle([delivered(back)], asking);
  await worker.handleEvents(asking);
  // What the way back has brought to light waits since then.
  await worker.handleEvents(asking);

  expect((await worker.triggersOf(stack)).map(({ commitSha }) => commitSha)).toEqual([
    made.hash,
    there.hash,
    made.hash,
    there.hash,
  ]);
});

test("a push that came too late to run does not run because it is told again (rule 14)", async () => {
  const [a, b, c] = ["a", "b", "c"].map((digit) => digit.repeat(40)) as [string, string, string];
  await worker.aStack("network");
  const push = (from: string | null, hash: string) =>
    worker.aDelivery(
      [{ old: from === null ? null : ref("main", from), new: ref("main", hash), created: from === null }],
      byTheHook(),
    );
  const [late, again] = [push(a, b), push(a, b)];
  await worker.handle([push(null, a)]);
  await worker.handle([push(b, c)]);
  await worker.handleEvents(asking);
  expect(await claimAll()).toEqual([a, c]);

  await worker.handle([late]);
  await worker.handle([again]);
  await worker.handleEvents(asking);
  expect(await claimAll()).toEqual([]);
  expect([await worker.decisionsOf(late.id), await worker.decisionsOf(again.id)]).toMatchObject([
    [{ reason: "stale" }],
    [{ reason: "duplicate" }],
  ]);
});
