import { randomUUID } from "node:crypto";

import type { TriggerDocument } from "@sluice/domain/trigger-document";
import { createTestDatabase } from "@sluice/embedded/test-database";
import { insertIntegration, insertStack } from "@sluice/store/test-fixtures";
import { insertTrigger, shaOf } from "@sluice/store/test-trigger-fixtures";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, test } from "vitest";

import { createTestApi, migrateForApi, type TestApi } from "./test-api.ts";

let api: TestApi;
let targetId: string;

beforeAll(async () => {
  const serverUrl = inject("postgresUrl");
  api = await createTestApi(await createTestDatabase({ serverUrl, migrate: migrateForApi, key: "api" }));
});

afterAll(() => api.close());

beforeEach(async () => {
  const integrationId = randomUUID();
  const slug = `acme-${integrationId.slice(0, 8)}`;
  await insertIntegration(api.store, { id: integrationId, slug, webhookSecretCiphertext: "-" });
  targetId = await insertStack(api.store, { integrationId, repository: "acme/infra", name: slug });
});

afterEach(async () => {
  await api.store.sql`TRUNCATE sluice.triggers, sluice.events, sluice.targets CASCADE`;
});

async function claim(request: object = {}): Promise<readonly TriggerDocument[]> {
  const { status, body } = await api.call("POST", "/v1/triggers/claim", {
    holder: "scheduler-1",
    ...request,
  });
  expect(status).toBe(200);
  return (body as { triggers: TriggerDocument[] }).triggers;
}

async function claimOne(request: object = {}) {
  const [document] = await claim(request);
  if (document === undefined) throw new Error("nothing can be claimed");
  return { document, id: document.id, lease_token: document.lease!.token };
}

describe("a trigger's life (rule 28)", () => {
  test("claim, start, heartbeat, finish: each tells the state, the lease and the wish to cancel", async () => {
    const id = await insertTrigger(api.store, { targetId, position: 2 });
    const { document, lease_token } = await claimOne({ lease_ms: 30_000 });
    expect(document).toMatchObject({
      schema: "sluice.trigger/1",
      id,
      run_type: "tracked",
      state: "claimed",
      attempt: 1,
      checkout: { ref: "refs/heads/main", sha: shaOf(2), base_sha: shaOf(1) },
      repository: { full_name: "acme/infra" },
      lease: { holder: "scheduler-1" },
    });
    const path = `/v1/triggers/${id}`;
    const started = await api.call("POST", `${path}/start`, {
      lease_token,
      run_id: "r-1",
      run_url: "https://runs.example/r-1",
    });
    expect(started).toMatchObject({ status: 200, body: { id, state: "running", cancel_requested: false } });
    await api.store.sql`UPDATE sluice.triggers SET cancel_requested = true WHERE id = ${id}`;
    const beat = await api.call("POST", `${path}/heartbeat`, { lease_token, lease_ms: 600_000 });
    expect(beat).toMatchObject({ status: 200, body: { state: "running", cancel_requested: true } });
    const { lease_expires_at } = beat.body as { lease_expires_at: string };
    expect(lease_expires_at > document.lease!.expires_at!).toBe(true);
    const finish = { lease_token, result: "canceled", message: "asked to stop" };
    const finished = await api.call("POST", `${path}/finish`, finish);
    expect(finished).toMatchObject({ status: 200, body: { state: "canceled", lease_expires_at: null } });
    expect(await api.call("GET", path)).toMatchObject({
      status: 200,
      body: {
        state: "canceled",
        lease: null,
        message: "asked to stop",
        run: { id: "r-1", url: "https://runs.example/r-1" },
      },
    });
  });

  test("finishing again with the same result is accepted, with another one refused", async () => {
    await insertTrigger(api.store, { targetId, position: 1 });
    const { id, lease_token } = await claimOne();
    const finish = (result: string) => api.call("POST", `/v1/triggers/${id}/finish`, { lease_token, result });
    expect((await finish("succeeded")).status).toBe(200);
    expect((await finish("succeeded")).status).toBe(200);
    expect(await finish("failed")).toMatchObject({
      status: 409,
      body: { type: "urn:sluice:problem:state_conflict", state: "succeeded" },
    });
  });

  test("a run that waits for a person has no end of its lease, and runs again with the next heartbeat", async () => {
    await insertTrigger(api.store, { targetId, position: 1 });
    const { id, lease_token } = await claimOne();
    const path = `/v1/triggers/${id}`;
    expect(await api.call("POST", `${path}/wait`, { lease_token })).toMatchObject({
      status: 409,
      body: { type: "urn:sluice:problem:state_conflict", state: "claimed" },
    });
    await api.call("POST", `${path}/start`, { lease_token });
    expect(await api.call("POST", `${path}/wait`, { lease_token })).toMatchObject({
      status: 200,
      body: { state: "waiting", lease_expires_at: null },
    });
    expect(await api.call("GET", path)).toMatchObject({
      body: { state: "waiting", lease: { holder: "scheduler-1", expires_at: null } },
    });
    expect(await api.call("POST", `${path}/heartbeat`, { lease_token })).toMatchObject({
      status: 200,
      body: { state: "running", lease_expires_at: expect.any(String) as string },
    });
  });

  test("a report with another token names who has the trigger now", async () => {
    await insertTrigger(api.store, { targetId, position: 1 });
    const { id, document } = await claimOne();
    for (const report of ["start", "wait", "heartbeat", "finish"]) {
      const body = { lease_token: randomUUID(), ...(report === "finish" ? { result: "failed" } : {}) };
      expect(await api.call("POST", `/v1/triggers/${id}/${report}`, body)).toMatchObject({
        status: 409,
        body: {
          type: "urn:sluice:problem:lease_not_held",
          state: "claimed",
          holder: "scheduler-1",
          lease_expires_at: document.lease!.expires_at,
        },
      });
    }
  });

  test("the lease token is in the answer to the claim and nowhere else", async () => {
    await insertTrigger(api.store, { targetId, position: 1 });
    const { id, lease_token } = await claimOne();
    const { body } = await api.call("GET", `/v1/triggers/${id}`);
    expect(body).toMatchObject({ lease: { token: null, holder: "scheduler-1" } });
    expect(JSON.stringify(body)).not.toContain(lease_token);
  });

  test("a claim is filtered, and gives nothing when nothing is left", async () => {
    await insertTrigger(api.store, { targetId, position: 1 });
    await insertTrigger(api.store, { targetId, position: 2, runType: "proposed" });
    expect(await claim({ kinds: ["module"] })).toEqual([]);
    const both = await claim({ limit: 10, run_types: ["tracked", "proposed"], spaces: ["root"], labels: [] });
    expect(both.map(({ run_type }) => run_type)).toEqual(["tracked", "proposed"]);
    expect(await claim()).toEqual([]);
  });

  test("a tracked trigger says which commit the target saw before", async () => {
    await insertTrigger(api.store, { targetId, position: 1, state: "succeeded" });
    await insertTrigger(api.store, { targetId, position: 2, runType: "proposed", state: "succeeded" });
    await insertTrigger(api.store, { targetId, position: 3 });
    const { document } = await claimOne();
    expect(document.previously_tracked_sha).toBe(shaOf(1));
  });
});

describe("reports about deliveries", () => {
  test("a delivery is found by our id and by Bitbucket's request id, with what it meant for each target", async () => {
    const requestId = randomUUID();
    const triggerId = await insertTrigger(api.store, { targetId, position: 7, requestId });
    const byRequest = await api.call("GET", `/v1/deliveries/${requestId}`);
    expect(byRequest).toMatchObject({
      status: 200,
      body: {
        request_id: requestId,
        event_key: "repo:push",
        outcome: "events",
        failure: null,
        events: [
          {
            kind: "push",
            repository: "acme/infra",
            ref_name: "main",
            new_sha: shaOf(7),
            decisions: [{ outcome: "trigger", reason: "triggered", trigger_id: triggerId }],
          },
        ],
      },
    });
    const report = byRequest.body as { id: string; events: [{ decisions: [{ url: string }] }] };
    expect(await api.call("GET", `/v1/deliveries/${report.id}`)).toMatchObject({ body: byRequest.body });
    const [decision] = report.events[0].decisions;
    expect(await api.call("GET", decision.url)).toMatchObject({
      status: 200,
      body: {
        ...decision,
        target: { id: targetId, kind: "stack", space: "root" },
        trigger_url: `/v1/triggers/${triggerId}`,
      },
    });
  });
});
