import { randomUUID } from "node:crypto";

import { createTestDatabase, type TestDatabase } from "@sluice/embedded/test-database";
import { afterAll, afterEach, beforeAll, beforeEach, expect, inject, test } from "vitest";

import { openStore, type Store } from "./client.ts";
import { saveCommitLinks } from "./commit-links.ts";
import {
  addCommitsToLink,
  askLater,
  finishCommitsToLink,
  settleCommitsToLink,
  takeCommitsToLink,
} from "./commits-to-link.ts";
import { migrateStore } from "./migrate.ts";
import { insertIntegration, insertStack } from "./test-fixtures.ts";
import { insertTrigger, shaOf } from "./test-trigger-fixtures.ts";

let database: TestDatabase;
let store: Store;
let integrationId: string;
let repositoryId: string;
let targetId: string;

beforeAll(async () => {
  database = await createTestDatabase({
    serverUrl: inject("postgresUrl"),
    migrate: migrateStore,
    key: "store",
  });
  store = openStore({ url: database.url, maxConnections: 8, applicationName: "test" });
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
  const [row] = await store.sql<{ id: string }[]>`
    UPDATE sluice.repositories SET uuid = '{4f5b}' FROM sluice.targets
    WHERE targets.id = ${targetId} AND repositories.id = repository_id RETURNING repositories.id`;
  repositoryId = row?.id ?? "";
});

afterEach(async () => {
  await store.sql`TRUNCATE sluice.repositories, sluice.triggers, sluice.events, sluice.deliveries CASCADE`;
});

const add = (page: Partial<Parameters<typeof addCommitsToLink>[1]> = {}) =>
  addCommitsToLink(store, { afterId: null, lagMs: 0, limit: 100, ...page });
const take = (options: Partial<Parameters<typeof takeCommitsToLink>[1]> = {}) =>
  takeCommitsToLink(store, { limit: 100, takeForMs: 60_000, except: [], ...options });
const shasOf = (commits: readonly { commitSha: string }[]) => commits.map((one) => one.commitSha).toSorted();
const shas = (...positions: number[]) => positions.map(shaOf).toSorted();
const link = (position: number) =>
  saveCommitLinks(store, [{ repositoryId, commitSha: shaOf(position), number: 12, source: "event" }]);

test("each commit of new triggers is taken once, with what is known of its repository", async () => {
  await insertTrigger(store, { targetId, position: 1 });
  await insertTrigger(store, { targetId, position: 2 });
  await insertTrigger(store, { targetId, position: 2, runType: "proposed" });
  const last = await insertTrigger(store, { targetId, position: 3 });
  await link(3);
  expect(await add()).toBe(last);
  const taken = await take();
  expect(shasOf(taken)).toEqual(shas(1, 2));
  expect(taken[0]).toMatchObject({
    repositoryId,
    integrationId,
    uuid: "{4f5b}",
    fullName: "acme/infra",
    attempts: 0,
    commitLinks: null,
    isChecked: false,
  });
  expect(await take()).toEqual([]);
});

test("the walk goes on from its place in pages, and waits for triggers that may not be committed yet", async () => {
  const ids: string[] = [];
  for (const position of [1, 2, 3]) ids.push(await insertTrigger(store, { targetId, position }));
  expect(await add({ lagMs: 60_000 })).toBeNull();
  expect(await add({ limit: 2 })).toBe(ids[1]);
  expect(shasOf(await take())).toEqual(shas(1, 2));
  expect(await add({ afterId: ids[1]!, limit: 2 })).toBe(ids[2]);
  expect(shasOf(await take())).toEqual(shas(3));
  expect(await add({ afterId: ids[2]! })).toBeNull();
});

test("after a start the last day is looked through again, and what was asked about is not asked about again", async () => {
  await insertTrigger(store, { targetId, position: 1 });
  const old = await insertTrigger(store, { targetId, position: 2 });
  await store.sql`DELETE FROM sluice.decisions`;
  await store.sql`UPDATE sluice.triggers SET id = uuidv7(interval '-25 hours') WHERE id = ${old}`;
  await add();
  const taken = await take();
  expect(shasOf(taken)).toEqual(shas(1));
  await finishCommitsToLink(store, taken);
  await add();
  await store.sql`UPDATE sluice.commit_links SET ask_at = now() - interval '1 hour' WHERE ask_at IS NOT NULL`;
  expect(await take()).toEqual([]);
});

test("workers that take at once share the commits", async () => {
  for (let position = 1; position <= 20; position += 1) await insertTrigger(store, { targetId, position });
  await add();
  const taken = await Promise.all([1, 2, 3, 4].map(() => take({ limit: 5 })));
  expect(new Set(shasOf(taken.flat())).size).toBe(taken.flat().length);
  const rest = await take();
  expect(shasOf([...taken.flat(), ...rest])).toEqual(
    shas(...Array.from({ length: 20 }, (_, index) => index + 1)),
  );
});

test("what a worker that died had taken is taken again when its time is over", async () => {
  await insertTrigger(store, { targetId, position: 1 });
  await add();
  expect(await take({ takeForMs: 0 })).toHaveLength(1);
  expect(await take()).toHaveLength(1);
});

test("what is to be asked later keeps its attempts; an integration that is left alone is not taken", async () => {
  await insertTrigger(store, { targetId, position: 1 });
  await add();
  const taken = await take();
  await askLater(
    store,
    taken.map((commit) => ({ ...commit, attempts: 2 })),
    3_600_000,
  );
  expect(await take()).toEqual([]);
  await askLater(
    store,
    taken.map((commit) => ({ ...commit, attempts: 2 })),
    0,
  );
  expect(await take({ except: [integrationId] })).toEqual([]);
  expect(await take()).toMatchObject([{ commitSha: shaOf(1), attempts: 2 }]);
});

test("a commit that got a link meanwhile, and one of which nothing was learned in a day, are not asked about", async () => {
  for (const position of [1, 2, 3]) await insertTrigger(store, { targetId, position });
  await add();
  await link(1);
  await store.sql`
    UPDATE sluice.commit_links SET recorded_at = now() - interval '25 hours' WHERE commit_sha = ${shaOf(2)}`;
  await settleCommitsToLink(store);
  expect(shasOf(await take())).toEqual(shas(3));
});
