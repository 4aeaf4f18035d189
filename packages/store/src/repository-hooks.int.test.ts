import { randomUUID } from "node:crypto";

import { createTestDatabase, type TestDatabase } from "@sluice/embedded/test-database";
import { afterAll, beforeAll, beforeEach, expect, inject, test } from "vitest";

import { openStore, type Store } from "./client.ts";
import { migrateStore } from "./migrate.ts";
import {
  findHookedIntegration,
  findHookedRepository,
  listHookedRepositories,
  saveRepositoryHooks,
} from "./repository-hooks.ts";
import { insertIntegration, insertStack } from "./test-fixtures.ts";

let database: TestDatabase;
let store: Store;
let integrationId: string;

beforeAll(async () => {
  database = await createTestDatabase({
    serverUrl: inject("postgresUrl"),
    migrate: migrateStore,
    key: "store",
  });
  store = openStore({ url: database.url, maxConnections: 4, applicationName: "test" });
});

afterAll(async () => {
  await store.close();
  await database.drop();
});

beforeEach(async () => {
  integrationId = randomUUID();
  await insertIntegration(store, { id: integrationId, slug: integrationId, webhookSecretCiphertext: "-" });
});

const list = (page: { after?: string; through?: string; limit?: number } = {}) =>
  listHookedRepositories(store, { integrationId, after: null, through: null, limit: 100, ...page });

test("repositories of an integration's targets are listed once each, page by page, removed targets aside", async () => {
  for (const name of ["acme/a", "acme/b", "acme/c"]) {
    await insertStack(store, { integrationId, repository: name, name: `${name} ${integrationId}` });
  }
  await insertStack(store, { integrationId, repository: "acme/a", name: `more ${integrationId}` });
  const removed = await insertStack(store, { integrationId, repository: "acme/d", name: integrationId });
  await store.sql`UPDATE sluice.targets SET removed_at = now() WHERE id = ${removed}`;

  const { repositories, total } = await list();
  expect(repositories.map(({ fullName }) => fullName)).toEqual(["acme/a", "acme/b", "acme/c"]);
  expect(total).toBe(3);
  const [first, second] = repositories;
  const rest = await list({ after: first!.id, limit: 1 });
  expect(rest).toEqual({ repositories: [second], total: 2 });
  expect((await list({ through: second!.id })).repositories).toEqual([first, second]);
});

test("of two repositories of one name the one that Bitbucket has named is found", async () => {
  await store.sql`
    INSERT INTO sluice.repositories (integration_id, full_name) VALUES (${integrationId}, 'acme/twice')`;
  await store.sql`
    INSERT INTO sluice.repositories (integration_id, full_name, uuid) VALUES (${integrationId}, 'Acme/Twice', '{u}')`;
  const found = await findHookedRepository(store, { integrationId, fullName: "acme/TWICE" });
  expect(found).toMatchObject({ uuid: "{u}", fullName: "Acme/Twice" });
  expect(await findHookedRepository(store, { integrationId, fullName: "acme/none" })).toBeNull();
});

test("what was seen last of a repository's webhooks replaces what was seen before", async () => {
  await insertStack(store, { integrationId, repository: "acme/seen", name: integrationId });
  const { repositories } = await list();
  const repositoryId = repositories[0]!.id;
  const drift = [{ kind: "inactive" as const, hookId: "{h}", detail: "It is switched off." }];
  const gone = { repositoryId: randomUUID(), drift, unreadable: null };
  await saveRepositoryHooks(store, [{ repositoryId, drift, unreadable: null }, gone]);
  const stored = () => store.sql`
    SELECT repository_id, drift, unreadable FROM sluice.repository_hooks
    WHERE repository_id IN (${repositoryId}, ${gone.repositoryId})`;
  expect([...(await stored())]).toEqual([{ repositoryId, drift, unreadable: null }]);
  await saveRepositoryHooks(store, [{ repositoryId, drift: [], unreadable: "no permission" }]);
  expect([...(await stored())]).toEqual([{ repositoryId, drift: [], unreadable: "no permission" }]);
});

test("a deleted integration is not found", async () => {
  expect(await findHookedIntegration(store, integrationId)).toMatchObject({ slug: integrationId });
  await store.sql`UPDATE sluice.integrations SET deleted_at = now() WHERE id = ${integrationId}`;
  expect(await findHookedIntegration(store, integrationId)).toBeNull();
});
