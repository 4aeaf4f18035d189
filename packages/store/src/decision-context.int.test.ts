import { randomUUID } from "node:crypto";

import type { Event } from "@sluice/domain/event";
import { createTestDatabase, type TestDatabase } from "@sluice/embedded/test-database";
import { afterAll, beforeAll, expect, inject, test } from "vitest";

import { openStore, type Store } from "./client.ts";
import { findDecisionContexts } from "./decision-context.ts";
import { migrateStore } from "./migrate.ts";
import { insertIntegration, insertStack } from "./test-fixtures.ts";
import { insertTrigger, shaOf } from "./test-trigger-fixtures.ts";
import { withTransaction } from "./transaction.ts";

let database: TestDatabase;
let store: Store;
let integrationId: string;

beforeAll(async () => {
  const serverUrl = inject("postgresUrl");
  database = await createTestDatabase({ serverUrl, key: "store", migrate: migrateStore });
  store = openStore({ url: database.url, maxConnections: 2, applicationName: "test" });
  integrationId = randomUUID();
  await insertIntegration(store, { id: integrationId, slug: "acme", webhookSecretCiphertext: "-" });
});

afterAll(async () => {
  await store.close();
  await database.drop();
});

const aTarget = (name: string) => insertStack(store, { integrationId, repository: "acme/infra", name });

const UNSUPPORTED: Event = { kind: "unsupported", eventKey: "repo:fork" };

/** A pull request as an event tells it; what is stored says more. */
const REPORT: Event = {
  kind: "pull_request",
  action: "opened",
  repository: { uuid: "{infra}", fullName: "acme/infra" },
  actor: null,
  pullRequest: {
    number: 12,
    title: "Widen it",
    state: "OPEN",
    isDraft: null,
    author: null,
    url: null,
    createdOn: null,
    updatedOn: "2026-11-24T10:00:00Z",
    source: { repository: null, branch: "feature", sha: shaOf(1) },
    destination: { branch: "main", sha: null },
    mergeSha: null,
    reviews: null,
  },
  comment: null,
};

async function find(targetIds: readonly string[], event = UNSUPPORTED) {
  const [row] = await store.sql<{ id: string }[]>`SELECT id FROM sluice.repositories`;
  return findDecisionContexts(store, { event, repositoryId: row!.id }, targetIds);
}

test("a target without any history has its space and its integration, and nothing else (rule 25)", async () => {
  const bare = await aTarget("bare");
  expect((await find([bare])).get(bare)).toEqual({
    target: {
      externalId: null,
      labels: [],
      space: { id: expect.any(String), name: "root" },
      trackedSha: null,
      currentVersion: null,
    },
    integration: {
      id: integrationId,
      name: "acme",
      description: "",
      labels: [],
      space: { id: expect.any(String), name: "root" },
    },
    inProgress: [],
    pullRequest: null,
  });
});

test("each target has its own: what was declared, its newest tracked commit, its last version, what has not ended", async () => {
  const [vpc, dns] = [await aTarget("vpc"), await aTarget("dns")];
  await store.sql`
    UPDATE sluice.targets SET external_id = 'vpc-eu', labels = '["eu"]', kind = 'module' WHERE id = ${vpc}`;
  const ended = await insertTrigger(store, { targetId: vpc, position: 10, state: "succeeded" });
  const canceled = await insertTrigger(store, { targetId: vpc, position: 20, state: "canceled" });
  const running = await insertTrigger(store, { targetId: vpc, position: 15, state: "running" });
  const proposed = await insertTrigger(store, {
    targetId: vpc,
    position: 30,
    runType: "proposed",
    refName: "feature",
  });
  await insertTrigger(store, { targetId: vpc, position: 31, runType: "proposed", state: "superseded" });
  const other = await insertTrigger(store, { targetId: dns, position: 40, state: "blocked" });
  for (const [id, version] of [
    [ended, "1.0.0"],
    [canceled, "1.2.0"],
    [running, "1.1.0"],
  ] as const) {
    await store.sql`UPDATE sluice.triggers SET module_version = ${version} WHERE id = ${id}`;
  }

  const contexts = await find([dns, vpc, randomUUID()]);
  expect(contexts.size).toBe(2);
  expect(contexts.get(vpc)?.target).toMatchObject({
    externalId: "vpc-eu",
    labels: ["eu"],
    trackedSha: shaOf(20),
    currentVersion: "1.2.0",
  });
  const createdAt = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/) as string;
  expect(contexts.get(vpc)?.inProgress).toEqual([
    { id: running, runType: "tracked", state: "running", refName: "main", commitSha: shaOf(15), createdAt },
    {
      id: proposed,
      runType: "proposed",
      state: "queued",
      refName: "feature",
      commitSha: shaOf(30),
      createdAt,
    },
  ]);
  expect(contexts.get(dns)).toMatchObject({
    target: { trackedSha: shaOf(40), currentVersion: null },
    inProgress: [{ id: other, state: "blocked" }],
  });
});

test("the default integration has no space, and a detached target no integration (rules 2, 5)", async () => {
  const [one, detached] = [await aTarget("of the default"), await aTarget("detached")];
  await store.sql`UPDATE sluice.targets SET integration_id = NULL WHERE id = ${detached}`;
  await store.sql`
    UPDATE sluice.integrations SET space_id = NULL, description = 'For all', labels = '["eu"]' WHERE id = ${integrationId}`;
  const contexts = await find([one, detached]);
  expect(contexts.get(one)?.integration).toMatchObject({
    space: null,
    description: "For all",
    labels: ["eu"],
  });
  expect(contexts.get(detached)?.integration).toBeNull();
});

test("a pull request is what is stored of it now, and null where nothing is (rule 13)", async () => {
  const target = await aTarget("of a pull request");
  expect((await find([target], REPORT)).get(target)?.pullRequest).toBeNull();
  await store.sql`
    INSERT INTO sluice.pull_requests
      (repository_id, number, title, state, updated_on, source_branch, source_sha, destination_branch, reviews, head_arrival)
    SELECT id, 12, 'Widen it more', 'DECLINED', now(), 'feature', ${shaOf(2)}, 'main', '[]', 7
    FROM sluice.repositories`;
  expect((await find([target], REPORT)).get(target)?.pullRequest).toMatchObject({
    number: 12,
    state: "DECLINED",
    source: { sha: shaOf(2) },
  });
  expect((await find([target])).get(target)?.pullRequest).toBeNull();
});

test("triggers are found by index, however many other targets have", async () => {
  const [many, few] = [await aTarget("many"), await aTarget("few")];
  await insertTrigger(store, { targetId: few, position: 5_000 });
  const seed = await insertTrigger(store, { targetId: many, position: 5_001, state: "succeeded" });
  await store.sql`
    INSERT INTO sluice.triggers
      (target_id, repository_id, source_repository_id, event_id, run_type, commit_sha, ref_name, branch_arrival, position,
       state, changes)
    SELECT target_id, repository_id, source_repository_id, event_id, run_type, commit_sha, ref_name, 10000 + number,
           10000 + number, 'succeeded', '{}'
    FROM sluice.triggers, generate_series(1, 5000) AS number WHERE id = ${seed}`;
  await store.sql`ANALYZE sluice.triggers`;
  const reads = await withTransaction(store, async (tx) => {
    await findDecisionContexts(tx, { event: UNSUPPORTED, repositoryId: randomUUID() }, [few]);
    const [row] = await tx.sql<{ scanned: number; fetched: number }[]>`
      SELECT seq_tup_read AS scanned, idx_tup_fetch AS fetched
      FROM pg_stat_xact_user_tables WHERE schemaname = 'sluice' AND relname = 'triggers'`;
    return row;
  });
  expect(reads?.scanned).toBe(0);
  expect(reads?.fetched).toBeLessThan(20);
});
