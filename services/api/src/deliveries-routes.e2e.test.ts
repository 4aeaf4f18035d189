/** What the API tells of a delivery that a sweep wrote: nobody sent it, and nobody signed it (rule 34). */
import { randomUUID } from "node:crypto";

import { createTestDatabase } from "@sluice/embedded/test-database";
import { insertIntegration, insertStack } from "@sluice/store/test-fixtures";
import { insertTrigger } from "@sluice/store/test-trigger-fixtures";
import { afterAll, beforeAll, expect, inject, test } from "vitest";

import { createTestApi, migrateForApi, type TestApi } from "./test-api.ts";

let api: TestApi;
let triggerId: string;
let deliveryId: string;

beforeAll(async () => {
  const serverUrl = inject("postgresUrl");
  api = await createTestApi(await createTestDatabase({ serverUrl, migrate: migrateForApi, key: "api" }));
  const integrationId = randomUUID();
  await insertIntegration(api.store, { id: integrationId, slug: "acme", webhookSecretCiphertext: "-" });
  const targetId = await insertStack(api.store, {
    integrationId,
    repository: "acme/infra",
    name: "network",
  });
  triggerId = await insertTrigger(api.store, { targetId, position: 1 });
  const [row] = await api.store.sql<{ id: string }[]>`
    UPDATE sluice.deliveries SET source = 'sweep' RETURNING id`;
  deliveryId = row!.id;
});

afterAll(() => api.close());

test("it names the sweep, and no secret", async () => {
  expect(await api.call("GET", `/v1/deliveries/${deliveryId}`)).toMatchObject({
    status: 200,
    body: { id: deliveryId, source: "sweep", secret_version: null, outcome: "events" },
  });
});

test("its trigger says that it was recovered", async () => {
  expect(await api.call("GET", `/v1/triggers/${triggerId}`)).toMatchObject({
    status: 200,
    body: { id: triggerId, cause: { recovered_by: "sweep" } },
  });
});
