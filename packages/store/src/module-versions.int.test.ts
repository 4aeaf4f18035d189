import { randomUUID } from "node:crypto";

import { createTestDatabase, type TestDatabase } from "@sluice/embedded/test-database";
import { afterAll, beforeAll, expect, inject, test } from "vitest";

import { openStore, type Store } from "./client.ts";
import { migrateStore } from "./migrate.ts";
import { listModuleVersions } from "./module-versions.ts";
import { insertIntegration, insertStack } from "./test-fixtures.ts";
import { insertTrigger } from "./test-trigger-fixtures.ts";

let database: TestDatabase;
let store: Store;
let integrationId: string;

beforeAll(async () => {
  database = await createTestDatabase({
    serverUrl: inject("postgresUrl"),
    migrate: migrateStore,
    key: "store",
  });
  store = openStore({ url: database.url, maxConnections: 2, applicationName: "test" });
  integrationId = randomUUID();
  await insertIntegration(store, { id: integrationId, slug: "acme", webhookSecretCiphertext: "-" });
});

afterAll(async () => {
  await store.close();
  await database.drop();
});

const aTarget = (name: string) => insertStack(store, { integrationId, repository: "acme/modules", name });

async function giveVersion(targetId: string, position: number, version: string): Promise<void> {
  const state = position % 20 === 0 ? "canceled" : "queued";
  const id = await insertTrigger(store, { targetId, position, state });
  await store.sql`UPDATE sluice.triggers SET module_version = ${version} WHERE id = ${id}`;
}

test("lists the versions that each module was given, whatever became of the trigger, with their places (rule 31)", async () => {
  const [vpc, dns, zone] = [await aTarget("vpc"), await aTarget("dns"), await aTarget("zone")];
  await giveVersion(vpc, 10, "1.0.0");
  await giveVersion(vpc, 20, "1.1.0");
  await giveVersion(dns, 30, "1.0.0");
  await insertTrigger(store, { targetId: vpc, position: 31, runType: "proposed" });
  await insertTrigger(store, { targetId: zone, position: 32 });

  const versions = await listModuleVersions(store, [vpc, dns, zone, vpc, randomUUID()]);
  expect(new Set(versions.get(vpc))).toEqual(
    new Set([
      { version: "1.0.0", position: 10 },
      { version: "1.1.0", position: 20 },
    ]),
  );
  expect(versions.get(dns)).toEqual([{ version: "1.0.0", position: 30 }]);
  expect(versions.size).toBe(2);
  expect(await listModuleVersions(store, [])).toEqual(new Map());
});
