import { randomUUID } from "node:crypto";

import { createTestDatabase, type TestDatabase } from "@sluice/embedded/test-database";
import { afterAll, beforeAll, beforeEach, expect, inject, test } from "vitest";

import { openStore, type Store } from "./client.ts";
import { saveCommitLinks } from "./commit-links.ts";
import { migrateStore } from "./migrate.ts";
import { insertIntegration, insertStack } from "./test-fixtures.ts";
import { insertTrigger, shaOf } from "./test-trigger-fixtures.ts";
import { listTriggerRecords } from "./trigger-records.ts";

let database: TestDatabase;
let store: Store;
let integrationId: string;
let targetId: string;
let repositoryId: string;

beforeAll(async () => {
  database = await createTestDatabase({
    serverUrl: inject("postgresUrl"),
    migrate: migrateStore,
    key: "store",
  });
  store = openStore({ url: database.url, maxConnections: 2, applicationName: "test" });
});

afterAll(async () => {
  await store.close();
  await database.drop();
});

beforeEach(async () => {
  integrationId = randomUUID();
  const slug = `acme-${integrationId.slice(0, 8)}`;
  await insertIntegration(store, { id: integrationId, slug, webhookSecretCiphertext: "-" });
  targetId = await insertStack(store, { integrationId, repository: "acme/infra", name: slug });
  const [target] = await store.sql<{ repositoryId: string }[]>`
    SELECT repository_id FROM sluice.targets WHERE id = ${targetId}`;
  repositoryId = target?.repositoryId ?? "";
});

async function insertPullRequest(number: number, state = "OPEN") {
  await store.sql`
    INSERT INTO sluice.pull_requests
      (repository_id, number, title, state, author, updated_on, source_repository_id, source_branch, destination_branch,
       head_arrival)
    VALUES (${repositoryId}, ${number}, 'Widen it', ${state}, '{"uuid": "{1}", "displayName": "Ada", "kind": "user"}', now(),
            ${repositoryId}, 'feature', 'main', 1)`;
}

const aLink = (number: number) => ({ repositoryId, commitSha: shaOf(5), number, source: "event" }) as const;

test("a trigger is shown with its pull requests by number, of those that are stored", async () => {
  const trigger = await insertTrigger(store, { targetId, position: 5 });
  await insertPullRequest(13);
  await insertPullRequest(12, "MERGED");
  await saveCommitLinks(store, [aLink(13), aLink(12), aLink(99)]);
  const [record] = await listTriggerRecords(store, [trigger]);
  expect(record?.pullRequests).toEqual([
    {
      number: 12,
      title: "Widen it",
      state: "MERGED",
      author: { uuid: "{1}", displayName: "Ada", kind: "user" },
      url: null,
      sourceBranch: "feature",
      destinationBranch: "main",
    },
    expect.objectContaining({ number: 13, state: "OPEN" }),
  ]);
});

test("a push's trigger is of its own repository, and of no pull request", async () => {
  const trigger = await insertTrigger(store, { targetId, position: 5 });
  const [record] = await listTriggerRecords(store, [trigger]);
  expect(record).toMatchObject({
    pullRequests: [],
    repository: { fullName: "acme/infra" },
    sourceRepository: { fullName: "acme/infra" },
    event: { kind: "push", pullRequest: null },
  });
});

test("a trigger that a fork's pull request told of says which fork, which pull request, and knows no commit", async () => {
  const trigger = await insertTrigger(store, { targetId, position: 5, runType: "proposed" });
  await store.sql`
    WITH fork AS (
      INSERT INTO sluice.repositories (integration_id, uuid, full_name)
      VALUES (${integrationId}, '{f0}', 'someone/infra') RETURNING id
    ), trigger AS (
      UPDATE sluice.triggers SET source_repository_id = fork.id FROM fork WHERE triggers.id = ${trigger}
      RETURNING event_id
    )
    UPDATE sluice.events
    SET kind = 'pull_request', ref_kind = NULL, ref_name = NULL, change = NULL, action = 'opened', pull_request_number = 12
    FROM trigger WHERE events.id = event_id`;
  const [record] = await listTriggerRecords(store, [trigger]);
  expect(record).toMatchObject({
    repository: { fullName: "acme/infra" },
    sourceRepository: { uuid: "{f0}", fullName: "someone/infra" },
    event: {
      kind: "pull_request",
      refKind: null,
      change: null,
      commit: null,
      pullRequest: { number: 12, action: "opened" },
    },
  });
});
