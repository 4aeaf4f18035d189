/** A delivery that no webhook brought: a sweep wrote it, and nobody signed it (rule 34). It is replayed as any other. */
import { createTestDatabase } from "@sluice/embedded/test-database";
import { createBitbucket } from "@sluice/simulator/bitbucket";
import type { Repository } from "@sluice/simulator/repository";
import { DEFAULT_CREDENTIALS } from "@sluice/simulator/rest-auth";
import { type BitbucketServer, startBitbucketServer } from "@sluice/simulator/rest-server";
import { findDeliveryReport } from "@sluice/store/delivery-reports";
import { migrateStore } from "@sluice/store/migrate";
import { listTriggerRecords } from "@sluice/store/trigger-records";
import { afterAll, beforeAll, beforeEach, expect, inject, test } from "vitest";

import { startTestSweep, type TestSweep } from "../repair/test-sweep.ts";
import { replayDelivery } from "./replay-delivery.ts";

const bitbucket = createBitbucket({ seed: "replayed sweeps" });
let server: BitbucketServer;
let sweeps: TestSweep;
let repository: Repository;
let network: string;
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

/** A repository that a sweep has seen, so that what it finds from now on was missed. */
beforeEach(async () => {
  await sweeps.begin();
  repository = bitbucket.createRepository({ workspace: "acme", slug: `swept-${String((made += 1))}` });
  push("main");
  network = await sweeps.aStack(repository);
  await sweeps.sweepNow();
});

const push = (branch: string) => repository.push({ branch, files: { "network/a.tf": String((made += 1)) } });

async function sweptDelivery(): Promise<string> {
  const [latest] = await sweeps.listSwept();
  return latest!.deliveryId;
}

async function replay(deliveryId: string, apply: boolean) {
  const client = sweeps.clientWith({
    take: () => Promise.resolve({ granted: true }),
    learn: () => Promise.resolve(),
  });
  const report = await replayDelivery(deliveryId, {
    store: sweeps.worker.store,
    clientOf: () => Promise.resolve(client),
    maxTriggersPerEvent: 500,
    apply,
    by: "ada",
  });
  const reasons = report.events.flatMap(({ changes }) =>
    changes.map(({ kind, after }) => `${kind}: ${after.reason}`),
  );
  return { report, reasons };
}

/** What a sweep may have found, and what is done so that it does. */
const FINDS: readonly (readonly [string, () => unknown, string])[] = [
  ["a push", () => push("main"), "triggered"],
  [
    "a pull request",
    () => {
      push("feature");
      repository.openPullRequest({ title: "Wider", source: "feature" });
    },
    "triggered",
  ],
];

test.each(FINDS)(
  "%s that was missed: nothing changes while its targets are what they were",
  async (_, act, reason) => {
    act();
    await sweeps.sweepNow();
    const deliveryId = await sweptDelivery();
    const before = await findDeliveryReport(sweeps.worker.store, deliveryId, { kind: "everywhere" });
    expect(before).toMatchObject({ source: "sweep", secretVersion: null, outcome: "events" });
    for (const apply of [false, true]) {
      const { report, reasons } = await replay(deliveryId, apply);
      expect(reasons).toEqual([`unchanged: ${reason}`]);
      expect(report).toMatchObject({ hasChanges: false, isApplied: false, otherTriggers: [] });
    }
    expect(await findDeliveryReport(sweeps.worker.store, deliveryId, { kind: "everywhere" })).toEqual(before);
  },
);

test("a target that is new to the sweep has its baseline in what was found, and no replay makes a run of that", async () => {
  const database = await sweeps.aStack(repository, "database");
  const { hash } = push("main");
  await sweeps.sweepNow();
  const deliveryId = await sweptDelivery();
  for (const apply of [false, true]) {
    const { report, reasons } = await replay(deliveryId, apply);
    expect(reasons.toSorted((a, b) => (a < b ? -1 : 1))).toEqual([
      "unchanged: baseline",
      "unchanged: triggered",
    ]);
    expect(report.hasChanges).toBe(false);
  }
  // Also when another sweep has come by.
  await sweeps.sweepNow();
  expect((await replay(deliveryId, true)).report.hasChanges).toBe(false);
  expect(await sweeps.commitsOf(network)).toEqual([hash]);
  expect(await sweeps.commitsOf(database)).toEqual([]);
});

test("a target that came after the sweep gets no run of what it had found, before or after the next one", async () => {
  push("main");
  await sweeps.sweepNow();
  const deliveryId = await sweptDelivery();
  const database = await sweeps.aStack(repository, "database");
  for (let round = 0; round < 2; round += 1) {
    expect((await replay(deliveryId, true)).reasons).toContain(
      round === 0 ? "reason: baseline" : "unchanged: baseline",
    );
    await sweeps.sweepNow();
  }
  expect(await sweeps.commitsOf(database)).toEqual([]);
});

test("replayed for another root, it makes a run that says that a sweep recovered it", async () => {
  await sweeps.worker.store.sql`UPDATE sluice.targets SET project_root = 'elsewhere' WHERE id = ${network}`;
  const { hash } = push("main");
  await sweeps.sweepNow();
  const deliveryId = await sweptDelivery();
  await sweeps.worker.store.sql`UPDATE sluice.targets SET project_root = 'network' WHERE id = ${network}`;
  expect((await replay(deliveryId, true)).report.isApplied).toBe(true);
  const [trigger] = await sweeps.worker.store.sql<{ id: string; commitSha: string }[]>`
    SELECT id, commit_sha FROM sluice.triggers WHERE target_id = ${network}`;
  expect(trigger?.commitSha).toBe(hash);
  const [record] = await listTriggerRecords(sweeps.worker.store, [trigger!.id]);
  expect(record?.delivery).toMatchObject({ id: deliveryId, source: "sweep" });
});
