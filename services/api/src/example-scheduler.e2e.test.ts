import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { createTestDatabase } from "@sluice/embedded/test-database";
import { insertIntegration, insertStack } from "@sluice/store/test-fixtures";
import { insertTrigger } from "@sluice/store/test-trigger-fixtures";
import { afterAll, beforeAll, expect, inject, test } from "vitest";

import { createTestApi, migrateForApi, TEST_KEY, type TestApi } from "./test-api.ts";

const SCRIPT = fileURLToPath(new URL("../../../examples/scheduler.py", import.meta.url));
const run = promisify(execFile);

const hasPython = await run("python3", ["--version"]).then(
  () => true,
  () => false,
);

let api: TestApi;

beforeAll(async () => {
  const serverUrl = inject("postgresUrl");
  api = await createTestApi(await createTestDatabase({ serverUrl, migrate: migrateForApi, key: "api" }));
});

afterAll(() => api.close());

function runExample(...options: string[]) {
  return run("env", [`SLUICE_URL=${api.url}`, `SLUICE_KEY=${TEST_KEY}`, "python3", SCRIPT, ...options]);
}

test.skipIf(!hasPython)("the example runs everything there is, tracked ones in order, and ends", async () => {
  const integrationId = randomUUID();
  await insertIntegration(api.store, { id: integrationId, slug: "acme", webhookSecretCiphertext: "-" });
  const targetId = await insertStack(api.store, { integrationId, repository: "acme/infra", name: "network" });
  const ids = [];
  for (const position of [1, 2]) ids.push(await insertTrigger(api.store, { targetId, position }));
  ids.push(await insertTrigger(api.store, { targetId, position: 3, runType: "proposed" }));

  const { stdout, stderr } = await runExample("--idle-exit");
  expect(stderr).toBe("");
  expect(stdout.match(/^network: /gm)).toHaveLength(3);
  const history = await api.store.sql<{ triggerId: string; state: string }[]>`
    SELECT trigger_id, state FROM sluice.trigger_history ORDER BY id`;
  expect(history).toEqual(
    ids.flatMap((triggerId) => ["claimed", "running", "succeeded"].map((state) => ({ triggerId, state }))),
  );
});
