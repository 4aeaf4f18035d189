import { randomUUID } from "node:crypto";

import { createTestDatabase, type TestDatabase } from "@sluice/embedded/test-database";
import postgres from "postgres";
import { afterAll, afterEach, beforeAll, beforeEach, expect, inject, test } from "vitest";

import { openStore, type Store } from "./client.ts";
import {
  commitKey,
  findPullRequestsOfCommits,
  listBranchesOfCommits,
  listStoredPullRequestsOf,
  saveCommitLinks,
  saveRepositoryLinks,
} from "./commit-links.ts";
import { migrateStore } from "./migrate.ts";
import { insertIntegration, insertStack } from "./test-fixtures.ts";
import { insertTrigger, shaOf } from "./test-trigger-fixtures.ts";

let database: TestDatabase;
let store: Store;
let listener: postgres.Sql;
let told: string[] = [];
let integrationId: string;
let targetId: string;
let repositoryId: string;

beforeAll(async () => {
  database = await createTestDatabase({
    serverUrl: inject("postgresUrl"),
    migrate: migrateStore,
    key: "store",
  });
  store = openStore({ url: database.url, maxConnections: 4, applicationName: "test" });
  listener = postgres(database.url, { max: 1 });
  await listener.listen("sluice_triggers", (payload) => void told.push(payload));
});

afterAll(async () => {
  await listener.end();
  await store.close();
  await database.drop();
});

beforeEach(async () => {
  integrationId = randomUUID();
  const slug = `acme-${integrationId.slice(0, 8)}`;
  await insertIntegration(store, { id: integrationId, slug, webhookSecretCiphertext: "-" });
  targetId = await aStack("network");
  const [target] = await store.sql<{ repositoryId: string }[]>`
    SELECT repository_id FROM sluice.targets WHERE id = ${targetId}`;
  repositoryId = target?.repositoryId ?? "";
});

afterEach(async () => {
  await store.sql`TRUNCATE sluice.repositories, sluice.triggers, sluice.events CASCADE`;
  told = [];
});

const aStack = (name: string, repository = "acme/infra") =>
  insertStack(store, { integrationId, repository, name: `${name}-${integrationId}` });

const aLink = (position: number, number: number) =>
  ({ repositoryId, commitSha: shaOf(position), number, source: "event" }) as const;

const notesOf = async (triggerId: string) =>
  (
    await store.sql<{ note: string; state: string }[]>`
      SELECT note, state FROM sluice.trigger_history WHERE trigger_id = ${triggerId} ORDER BY note`
  ).map(({ note, state }) => `${state}: ${note}`);

/** What was told on the channel up to now: notifications come in the order in which they were sent. */
async function listTold(): Promise<string[]> {
  await store.sql`SELECT pg_notify('sluice_triggers', 'that is all')`;
  await expect.poll(() => told.at(-1)).toBe("that is all");
  return told.splice(0).slice(0, -1);
}

async function insertPullRequest(number: number, more: { state?: string; from?: string } = {}) {
  await store.sql`
    INSERT INTO sluice.pull_requests
      (repository_id, number, title, state, author, url, updated_on, source_repository_id, source_branch,
       destination_branch, head_arrival)
    VALUES (${repositoryId}, ${number}, 'Widen it', ${more.state ?? "OPEN"}, '{"uuid": "{1}", "displayName": "Ada", "kind": "user"}',
            NULL, now(), ${more.from ?? repositoryId}, 'feature', 'main', 1)`;
}

test("a new link is told to the triggers of its commit, whatever their run type, and to nobody else (rule 26)", async () => {
  const other = await aStack("storage");
  const tracked = await insertTrigger(store, { targetId, position: 5 });
  const proposed = await insertTrigger(store, {
    targetId: other,
    position: 5,
    runType: "proposed",
    state: "running",
  });
  const later = await insertTrigger(store, { targetId, position: 6 });
  const elsewhere = await insertTrigger(store, {
    targetId: await aStack("web", "acme/web"),
    position: 5,
  });

  await saveCommitLinks(store, [aLink(5, 12)]);
  expect(await notesOf(tracked)).toEqual(["queued: belongs to pull request #12"]);
  expect(await notesOf(proposed)).toEqual(["running: belongs to pull request #12"]);
  expect([...(await notesOf(later)), ...(await notesOf(elsewhere))]).toEqual([]);
  expect(await listTold()).toEqual([[tracked, proposed].toSorted().join(",")]);
});

test("a link that is known is told once, however often it is saved; a second pull request is told anew", async () => {
  const trigger = await insertTrigger(store, { targetId, position: 5 });
  await saveCommitLinks(store, [aLink(5, 12), aLink(5, 12)]);
  await saveCommitLinks(store, [aLink(5, 12)]);
  expect(await listTold()).toEqual([trigger]);
  await saveCommitLinks(store, [aLink(5, 13), { ...aLink(5, 12), source: "bitbucket" }]);
  expect(await listTold()).toEqual([trigger]);
  expect(await notesOf(trigger)).toEqual([
    "queued: belongs to pull request #12",
    "queued: belongs to pull request #13",
  ]);
  expect(await findPullRequestsOfCommits(store, [aLink(5, 1), aLink(6, 1), aLink(5, 2)])).toEqual(
    new Map([[commitKey(aLink(5, 0)), [12, 13]]]),
  );
});

test("a link of a commit that nothing runs for is kept, and told to nobody", async () => {
  await saveCommitLinks(store, [aLink(77, 12)]);
  expect(await listTold()).toEqual([]);
  expect((await findPullRequestsOfCommits(store, [aLink(77, 0)])).size).toBe(1);
});

test("however many triggers a link tells more of, each is told once, in payloads that PostgreSQL takes", async () => {
  const ids: string[] = [];
  for (let made = 0; made < 230; made += 1) {
    ids.push(await insertTrigger(store, { targetId: await aStack(`many-${String(made)}`), position: 5 }));
  }
  await saveCommitLinks(store, [aLink(5, 12)]);
  const payloads = await listTold();
  expect(payloads.map((payload) => payload.length < 8_000)).toEqual([true, true]);
  expect(payloads.flatMap((payload) => payload.split(",")).toSorted()).toEqual(ids.toSorted());
});

test("a commit's open pull requests are those from its branch: not a fork's of the same name, not closed ones, not a tag's (rule 11)", async () => {
  await insertTrigger(store, { targetId, position: 5, runType: "proposed", refName: "feature" });
  const tagged = await insertTrigger(store, {
    targetId,
    position: 6,
    runType: "proposed",
    refName: "feature",
  });
  await store.sql`
    UPDATE sluice.events SET ref_kind = 'tag' WHERE id = (SELECT event_id FROM sluice.triggers WHERE id = ${tagged})`;
  const fork = await store.sql<{ id: string }[]>`
    INSERT INTO sluice.repositories (integration_id, uuid, full_name) VALUES (${integrationId}, '{f0}', 'someone/infra')
    RETURNING id`;
  await insertPullRequest(12);
  await insertPullRequest(13, { state: "DECLINED" });
  await insertPullRequest(14, { from: fork[0]!.id });
  const branches = await listBranchesOfCommits(store, [aLink(5, 0), aLink(6, 0)]);
  expect(branches).toEqual([{ repositoryId, commitSha: shaOf(5), branch: "feature" }]);
  expect(await listStoredPullRequestsOf(store, branches)).toEqual([
    { repositoryId, commitSha: shaOf(5), number: 12 },
  ]);
});

test("that a repository's app is missing is news once, and again after it was there", async () => {
  const news: boolean[] = [];
  for (const links of [
    "not_installed",
    "not_installed",
    "available",
    "available",
    "not_installed",
  ] as const) {
    news.push(await saveRepositoryLinks(store, repositoryId, links));
  }
  expect(news).toEqual([true, false, true, false, true]);
});
