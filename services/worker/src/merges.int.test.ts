/** A merge is a push to the destination branch: its event runs nothing of its own (rule 22, decision 8). */
import { toTriggerDocument } from "@sluice/domain/trigger-document";
import { createTestDatabase } from "@sluice/embedded/test-database";
import { createBitbucket } from "@sluice/simulator/bitbucket";
import type { Repository } from "@sluice/simulator/repository";
import { DEFAULT_CREDENTIALS } from "@sluice/simulator/rest-auth";
import { type BitbucketServer, startBitbucketServer } from "@sluice/simulator/rest-server";
import type { WebhookEvent } from "@sluice/simulator/webhook-delivery";
import { migrateStore } from "@sluice/store/migrate";
import { listTriggerRecords } from "@sluice/store/trigger-records";
import { afterAll, beforeAll, beforeEach, expect, inject, test } from "vitest";

import { startTestSweep, type TestSweep } from "./repair/test-sweep.ts";

const bitbucket = createBitbucket({ seed: "merges" });
let server: BitbucketServer;
let sweeps: TestSweep;
let repository: Repository;
let stack: string;
let made = 0;

beforeAll(async () => {
  server = await startBitbucketServer({ bitbucket });
  sweeps = await startTestSweep(
    await createTestDatabase({ serverUrl: inject("postgresUrl"), migrate: migrateStore, key: "store" }),
    { url: server.url, token: DEFAULT_CREDENTIALS[0]!.token },
  );
});

afterAll(async () => {
  await server.close();
  await sweeps.close();
});

beforeEach(async () => {
  await sweeps.begin();
  repository = bitbucket.createRepository({ workspace: "acme", slug: `merges-${String((made += 1))}` });
  stack = await sweeps.aStack(repository);
});

const tell = (webhooks: readonly WebhookEvent[]) => sweeps.tell(...webhooks);

/** Told up to its opening. */
async function anOpenPullRequest(destination = "main") {
  await tell(repository.push({ files: { a: "1" } }).webhooks);
  if (destination !== "main")
    await tell(repository.push({ branch: destination, from: "main", files: { d: "1" } }).webhooks);
  await tell(repository.push({ branch: "feature", from: destination, files: { b: "1" } }).webhooks);
  const pull = repository.openPullRequest({ title: "Wider", source: "feature", destination });
  await tell(pull.webhooks);
  return pull;
}

const ofMerge = (webhooks: readonly WebhookEvent[], isMerge: boolean) =>
  webhooks.filter(({ eventKey }) => (eventKey === "pullrequest:fulfilled") === isMerge);

async function decisionsOnMerge() {
  return sweeps.worker.store.sql<{ reason: string; triggerId: string | null }[]>`
    SELECT reason, evidence #>> '{duplicateOf,triggerId}' AS trigger_id FROM sluice.decisions
    JOIN sluice.events ON events.id = event_id JOIN sluice.deliveries ON deliveries.id = delivery_id
    WHERE integration_id = ${sweeps.worker.integrationId()} AND action = 'merged'`;
}

async function trackedDocuments() {
  const ids = await sweeps.worker.store.sql<{ id: string }[]>`
    SELECT id FROM sluice.triggers WHERE target_id = ${stack} AND run_type = 'tracked' ORDER BY position`;
  const records = await listTriggerRecords(
    sweeps.worker.store,
    ids.map(({ id }) => id),
  );
  return records.map((record) => toTriggerDocument(record, { showLeaseToken: false }));
}

test.each([
  ["a merge commit", "merge_commit", "the push first"],
  ["a squash", "squash", "the push first"],
  ["a fast forward", "fast_forward", "the push first"],
  ["a merge commit", "merge_commit", "the merge first"],
  ["a fast forward", "fast_forward", "the merge first"],
] as const)(
  "%s runs its commit once, and the run belongs to the pull request (%s, %s)",
  async (_, strategy, order) => {
    const pull = await anOpenPullRequest();
    const { hash, webhooks } = pull.merge({ strategy, closeSourceBranch: true });
    const [pushes, merge] = [ofMerge(webhooks, false), ofMerge(webhooks, true)];
    await tell(order === "the push first" ? [...pushes, ...merge] : [...merge, ...pushes]);
    const run = (await trackedDocuments()).at(-1);
    expect(run).toMatchObject({ checkout: { sha: hash }, pull_requests: [{ number: pull.id }] });
    expect(await decisionsOnMerge()).toEqual([{ reason: "duplicate", triggerId: run?.id }]);
  },
);

test("of a branch whose push is lost is what a sweep makes of it, in its place (rule 34)", async () => {
  const pull = await anOpenPullRequest();
  await sweeps.sweepNow();
  const { hash, webhooks } = pull.merge();
  await sweeps.worker.handle(ofMerge(webhooks, true).map(toDelivery), sweeps.asking);
  await expect(sweeps.worker.handleEvents(sweeps.asking)).rejects.toMatchObject({
    code: "merge_push_awaited",
  });
  expect(await decisionsOnMerge()).toEqual([]);
  await sweeps.sweepNow();
  const run = (await trackedDocuments()).at(-1);
  expect(run).toMatchObject({ checkout: { sha: hash }, cause: { recovered_by: "sweep" } });
  expect(await decisionsOnMerge()).toEqual([{ reason: "duplicate", triggerId: run?.id }]);
});

test("into a branch that nobody tracks, whose push is lost, runs nothing and says so", async () => {
  const pull = await anOpenPullRequest("release");
  const [merge] = ofMerge(pull.merge().webhooks, true).map(toDelivery);
  const receivedAt = new Date(Date.now() - 60_000).toISOString();
  await sweeps.worker.handle([{ ...merge!, receivedAt }], sweeps.asking);
  await sweeps.worker.handleEvents(sweeps.asking);
  expect(await decisionsOnMerge()).toEqual([{ reason: "stale", triggerId: null }]);
});

function toDelivery({ eventKey, body }: WebhookEvent) {
  return sweeps.worker.aDelivery("", { eventKey, body: Buffer.from(JSON.stringify(body)) });
}
