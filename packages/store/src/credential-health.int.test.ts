import { randomUUID } from "node:crypto";

import { createTestDatabase, type TestDatabase } from "@sluice/embedded/test-database";
import { afterAll, beforeAll, beforeEach, expect, inject, test } from "vitest";

import { openStore, type Store } from "./client.ts";
import {
  findCredentialHealth,
  listCredentialHealth,
  saveCredentialCheck,
  type SavedCheck,
} from "./credential-health.ts";
import { deleteIntegrations, saveIntegrations } from "./declared-integrations.ts";
import { findIntegrationRecord } from "./integration-records.ts";
import { migrateStore } from "./migrate.ts";
import { insertIntegration } from "./test-fixtures.ts";

let database: TestDatabase;
let store: Store;
let ok: SavedCheck;
let refused: SavedCheck;

beforeAll(async () => {
  const serverUrl = inject("postgresUrl");
  database = await createTestDatabase({ serverUrl, key: "store", migrate: migrateStore });
  store = openStore({ url: database.url, maxConnections: 2, applicationName: "test" });
});

afterAll(async () => {
  await store.close();
  await database.drop();
});

beforeEach(async () => {
  const integrationId = randomUUID();
  await insertIntegration(store, {
    id: integrationId,
    slug: `it-${integrationId}`,
    webhookSecretCiphertext: "-",
    credentialCiphertext: "c1",
  });
  const checked = { integrationId, credentialCiphertext: "c1" };
  ok = { ...checked, state: "ok", httpStatus: null, message: null, nextCheckInMs: null, scopes: ["a", "b"] };
  refused = { ...ok, state: "refused", httpStatus: 401, message: "no", nextCheckInMs: 60_000, scopes: null };
});

const health = () => findCredentialHealth(store, ok.integrationId);

test("a check is kept, and the state is said to last from when it began", async () => {
  expect(await health()).toBeNull();
  expect(await saveCredentialCheck(store, ok)).toBe(true);
  const first = await health();
  expect(first).toMatchObject({ state: "ok", scopes: ["a", "b"], nextCheckAt: null, httpStatus: null });
  await saveCredentialCheck(store, ok);
  const second = await health();
  expect(second?.since).toBe(first?.since);
  await saveCredentialCheck(store, refused);
  const third = await health();
  expect(third).toMatchObject({ state: "refused", httpStatus: 401, message: "no", scopes: null });
  expect(third?.since).toBe(third?.checkedAt);
  expect(Date.parse(third?.nextCheckAt ?? "") - Date.parse(third?.checkedAt ?? "")).toBe(60_000);
  expect(await listCredentialHealth(store, [ok.integrationId, randomUUID()])).toEqual(
    new Map([[ok.integrationId, third]]),
  );
});

test("a check of a credential that was replaced, or is gone, is not kept", async () => {
  expect(await saveCredentialCheck(store, { ...refused, credentialCiphertext: "c0" })).toBe(false);
  await deleteIntegrations(store, [ok.integrationId]);
  expect(await saveCredentialCheck(store, refused)).toBe(false);
  expect(await health()).toBeNull();
});

test("what is known goes with the credential that it was known of, and with nothing else", async () => {
  await saveCredentialCheck(store, refused);
  const record = await findIntegrationRecord(store, ok.integrationId);
  const row = { ...record!, previousSecretExpiresInMs: null };
  await saveIntegrations(store, [{ ...row, labels: ["prod"], webhookSecretCiphertext: "another" }]);
  expect(await health()).toMatchObject({ state: "refused" });
  await saveIntegrations(store, [{ ...row, credentialCiphertext: "c2" }]);
  expect(await health()).toBeNull();
});

test("what is known of a deleted integration goes too", async () => {
  await saveCredentialCheck(store, ok);
  await deleteIntegrations(store, [ok.integrationId]);
  expect(await health()).toBeNull();
});
