/** Whose triggers a scheduler's key claims, reports on, and sees. */
import { randomUUID } from "node:crypto";

import type { Role } from "@sluice/domain/access";
import type { TriggerDocument } from "@sluice/domain/trigger-document";
import { createTestDatabase } from "@sluice/embedded/test-database";
import { beforeEach, expect, inject, test } from "vitest";

import { makeKey } from "./test-access.ts";
import { createTestApi, migrateForApi, NOBODY, type TestApi } from "./test-api.ts";
import { arrangeReadModels, type ReadModels, type SpaceName } from "./test-read-models.ts";

let api: TestApi;
let all: ReadModels;

beforeEach(async () => {
  const serverUrl = inject("postgresUrl");
  api = await createTestApi(await createTestDatabase({ serverUrl, migrate: migrateForApi, key: "api" }));
  all = await arrangeReadModels(api);
  return () => api.close();
});

async function keyOf(role: Role, space: SpaceName) {
  const { key } = await makeKey(api, { name: randomUUID(), role, space });
  return (path: string, body: object) => api.call("POST", path, body, { authorization: `Bearer ${key}` });
}

type Post = Awaited<ReturnType<typeof keyOf>>;

async function claim(post: Post, request: object = {}) {
  const { status, body } = await post("/v1/triggers/claim", { holder: "runner-7", limit: 10, ...request });
  expect(status).toBe(200);
  const { triggers } = body as { triggers: TriggerDocument[] };
  return triggers.map(({ id, lease }) => ({ id, lease_token: lease!.token }));
}

const idsOf = (claims: readonly { readonly id: string }[]) => claims.map(({ id }) => id);

test("a scheduler of a space claims what is in it and below it, and nothing beside or above it", async () => {
  const { network, dns, web } = all.triggers;
  expect(idsOf(await claim(await keyOf("scheduler", "below")))).toEqual([dns]);
  expect(idsOf(await claim(await keyOf("scheduler", "middle")))).toEqual([network]);
  expect(idsOf(await claim(await keyOf("scheduler", "root")))).toEqual([web]);
});

test("naming another space hands out nothing of it", async () => {
  const post = await keyOf("scheduler", "beside");
  expect(await claim(post, { spaces: ["middle", "below"] })).toEqual([]);
  expect(idsOf(await claim(post, { spaces: ["middle", "beside"] }))).toEqual([all.triggers.web]);
});

test("reports and looks beyond reach are answered as those on an unknown trigger, and change nothing", async () => {
  const [held] = await claim(await keyOf("scheduler", "middle"), { spaces: ["middle"] });
  const { lease_token } = held!;
  const outside = await keyOf("scheduler", "below");
  const reports = {
    start: { lease_token },
    wait: { lease_token },
    heartbeat: { lease_token },
    finish: { lease_token, result: "failed" },
  };
  for (const [verb, body] of Object.entries(reports)) {
    const hidden = await outside(`/v1/triggers/${held!.id}/${verb}`, body);
    const unknown = await outside(`/v1/triggers/${NOBODY}/${verb}`, body);
    expect({ status: hidden.status, body: hidden.body }).toEqual({ status: 404, body: unknown.body });
  }
  expect(await all.as("middle", `/v1/triggers/${held!.id}`)).toMatchObject({ body: { state: "claimed" } });
  expect((await all.as("below", `/v1/triggers/${held!.id}`)).status).toBe(404);
  expect((await all.as("beside", `/v1/triggers/${held!.id}`)).status).toBe(404);
});

test("people cancel and end only what is within reach", async () => {
  const outside = await keyOf("write", "beside");
  for (const [verb, body] of [
    ["cancel", { by: "ada" }],
    ["end", { by: "ada", result: "failed", force: true }],
  ] as const) {
    const hidden = await outside(`/v1/triggers/${all.triggers.network}/${verb}`, body);
    const unknown = await outside(`/v1/triggers/${NOBODY}/${verb}`, body);
    expect({ status: hidden.status, body: hidden.body }).toEqual({ status: 404, body: unknown.body });
  }
  expect(await all.as("middle", `/v1/triggers/${all.triggers.network}`)).toMatchObject({
    body: { state: "queued", cancel_requested: false },
  });
  const inside = await keyOf("write", "middle");
  expect((await inside(`/v1/triggers/${all.triggers.network}/cancel`, { by: "ada" })).status).toBe(200);
});

test("a key that only reads, or that only writes, claims nothing", async () => {
  for (const role of ["read", "write"] as const) {
    const post = await keyOf(role, "middle");
    expect(await post("/v1/triggers/claim", { holder: "runner-7" })).toMatchObject({
      status: 403,
      body: { type: "urn:sluice:problem:forbidden" },
    });
  }
  expect(await claim(await keyOf("scheduler", "middle"))).toHaveLength(2);
});
