import { randomUUID } from "node:crypto";

import type { TriggerDocument } from "@sluice/domain/trigger-document";
import { createTestDatabase } from "@sluice/embedded/test-database";
import { insertIntegration, insertStack } from "@sluice/store/test-fixtures";
import { insertTrigger } from "@sluice/store/test-trigger-fixtures";
import { afterAll, afterEach, beforeAll, beforeEach, expect, inject, test } from "vitest";

import { createTestApi, migrateForApi, type TestApi } from "./test-api.ts";

let api: TestApi;
let id: string;

beforeAll(async () => {
  const serverUrl = inject("postgresUrl");
  api = await createTestApi(await createTestDatabase({ serverUrl, migrate: migrateForApi, key: "api" }));
});

afterAll(() => api.close());

beforeEach(async () => {
  const integrationId = randomUUID();
  const slug = `acme-${integrationId.slice(0, 8)}`;
  await insertIntegration(api.store, { id: integrationId, slug, webhookSecretCiphertext: "-" });
  const targetId = await insertStack(api.store, { integrationId, repository: "acme/infra", name: slug });
  id = await insertTrigger(api.store, { targetId, position: 1 });
});

afterEach(async () => {
  await api.store.sql`TRUNCATE sluice.triggers, sluice.events, sluice.targets CASCADE`;
});

function post(verb: string, body: object) {
  return api.call("POST", `/v1/triggers/${id}/${verb}`, body);
}

/** @returns the token of a run that has started. */
async function start(): Promise<string> {
  const { body } = await api.call("POST", "/v1/triggers/claim", { holder: "scheduler-1" });
  const { triggers } = body as { triggers: TriggerDocument[] };
  const lease_token = triggers[0]?.lease?.token ?? "";
  expect(await post("start", { lease_token })).toMatchObject({ status: 200 });
  return lease_token;
}

async function actors(): Promise<string[]> {
  const rows = await api.store.sql<{ actor: string }[]>`
    SELECT actor FROM sluice.trigger_history WHERE trigger_id = ${id} ORDER BY at, id`;
  return rows.map(({ actor }) => actor);
}

test("a queued trigger is canceled at once, again too, and is handed out to nobody", async () => {
  const canceled = {
    status: 200,
    body: { id, state: "canceled", cancel_requested: true, lease_expires_at: null },
  };
  expect(await post("cancel", { by: "ada" })).toMatchObject(canceled);
  expect(await post("cancel", { by: "ada" })).toMatchObject(canceled);
  expect(await actors()).toEqual(["ada"]);
  const { body } = await api.call("POST", "/v1/triggers/claim", { holder: "scheduler-1" });
  expect(body).toEqual({ triggers: [] });
});

test("the holder of a run sees in its reports that it is to stop", async () => {
  const lease_token = await start();
  const asked = { status: 200, body: { state: "running", cancel_requested: true } };
  expect(await post("cancel", { by: "ada" })).toMatchObject(asked);
  for (const report of ["heartbeat", "start"])
    expect(await post(report, { lease_token })).toMatchObject(asked);
  const waiting = await post("wait", { lease_token });
  expect(waiting).toMatchObject({ status: 200, body: { state: "waiting", cancel_requested: true } });
  await post("finish", { lease_token, result: "canceled" });
  expect(await actors()).toEqual(["scheduler-1", "scheduler-1", "ada", "scheduler-1", "scheduler-1"]);
});

test("what has ended cannot be canceled", async () => {
  const lease_token = await start();
  await post("finish", { lease_token, result: "succeeded" });
  expect(await post("cancel", { by: "ada" })).toMatchObject({
    status: 409,
    body: { type: "urn:sluice:problem:state_conflict", state: "succeeded" },
  });
});

test("a run is ended in place of its holder once its lease has expired, and its late finish is told how", async () => {
  const lease_token = await start();
  const end = { by: "ada", result: "failed", message: "its machine is gone" };
  expect(await post("end", end)).toMatchObject({
    status: 409,
    body: {
      type: "urn:sluice:problem:still_held",
      state: "running",
      holder: "scheduler-1",
      lease_expires_at: expect.any(String) as string,
    },
  });
  await api.store
    .sql`UPDATE sluice.triggers SET state = 'lost', lease_expires_at = now() - interval '1 second'`;
  expect(await post("end", end)).toMatchObject({ status: 200, body: { state: "failed" } });
  expect((await actors()).at(-1)).toBe("ada");
  expect(await post("finish", { lease_token, result: "succeeded" })).toMatchObject({
    status: 409,
    body: { type: "urn:sluice:problem:state_conflict", state: "failed" },
  });
  expect(await post("finish", { lease_token, result: "failed" })).toMatchObject({ status: 200 });
  expect(await api.call("GET", `/v1/triggers/${id}`)).toMatchObject({
    body: { state: "failed", lease: null, message: "its machine is gone" },
  });
});

test("with force a run is ended while its lease runs", async () => {
  await start();
  expect(await post("end", { by: "ada", result: "canceled", force: true })).toMatchObject({
    status: 200,
    body: { state: "canceled" },
  });
});

test("what was never handed out has not ended", async () => {
  expect(await post("end", { by: "ada", result: "succeeded", force: true })).toMatchObject({
    status: 409,
    body: { type: "urn:sluice:problem:state_conflict", state: "queued" },
  });
});
