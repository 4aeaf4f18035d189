import { randomUUID } from "node:crypto";

import { REQUIRED_BOXES } from "@sluice/domain/webhook-events";
import { createTestDatabase } from "@sluice/embedded/test-database";
import { createBitbucket } from "@sluice/simulator/bitbucket";
import type { Hook } from "@sluice/simulator/hook";
import type { Repository } from "@sluice/simulator/repository";
import type { Credential } from "@sluice/simulator/rest-auth";
import { startBitbucketServer, type BitbucketServer } from "@sluice/simulator/rest-server";
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from "vitest";

import { addSpace, makeKey } from "./test-access.ts";
import { call, migrateForApi, NOBODY } from "./test-api.ts";
import { createWebhookScene, WEBHOOK_SECRET, type WebhookScene } from "./test-webhooks.ts";

const FULL: Credential = { kind: "access_token", token: "full" };
const READER: Credential = {
  kind: "api_token",
  email: "ada@example.com",
  token: "reader",
  readsOnly: true,
};
const WITHOUT: Credential = { kind: "access_token", token: "without", scopes: ["repository"] };

const bitbucket = createBitbucket({ seed: "webhooks that fail" });

let server: BitbucketServer;
let scene: WebhookScene;
let endFault: (() => void) | undefined;
let made = 0;

beforeAll(async () => {
  server = await startBitbucketServer({ bitbucket, credentials: [FULL, READER, WITHOUT] });
  const serverUrl = inject("postgresUrl");
  const database = await createTestDatabase({ serverUrl, migrate: migrateForApi, key: "api" });
  scene = await createWebhookScene({ database, bitbucketUrl: server.url });
});

afterEach(() => {
  endFault?.();
  endFault = undefined;
});

afterAll(async () => {
  await scene.close();
  await server.close();
});

/** An integration whose stacks are in `count` repositories of a workspace of its own. */
async function arrange({ as = FULL, count = 1 }: { as?: Credential; count?: number } = {}) {
  made += 1;
  const workspace = `team-${String(made)}`;
  const repositories = Array.from({ length: count }, (_, n) =>
    bitbucket.createRepository({ workspace, slug: `infra-${String(n)}` }),
  );
  const names = repositories.map(({ fullName }) => fullName);
  const given = { slug: workspace, credential: as, repositories: names };
  return { workspace, repositories, ...(await scene.addIntegration(given)) };
}

const hooksOf = ({ state }: Repository): Hook[] => [...state.hooks.values()];

describe("a credential", () => {
  test("without the permission leaves the steps for a person, and the repository as unreadable", async () => {
    const { id, url, repositories, plan, provision, audited } = await arrange({ as: WITHOUT });
    const [item] = (await plan()).items;
    expect(item).toMatchObject({
      state: "unreadable",
      drift: [],
      actions: [],
      problem: { code: "bitbucket_forbidden", message: expect.stringContaining("read:webhook:bitbucket") },
      manual: {
        page: `https://bitbucket.org/${repositories[0]!.fullName}/admin`,
        url,
        boxes: REQUIRED_BOXES.map(({ box }) => box),
        secret_at: `/v1/integrations/${id}/webhook`,
      },
    });
    expect(item!.manual!.steps.length).toBeGreaterThan(5);
    expect(JSON.stringify(item)).not.toContain(WEBHOOK_SECRET);
    expect(await scene.stored(repositories[0]!.fullName)).toMatchObject({
      drift: [],
      unreadable: expect.stringContaining("read:webhook:bitbucket"),
    });
    expect(await provision()).toMatchObject({
      is_complete: false,
      items: [{ state: "unreadable", manual: { url } }],
    });
    expect(await audited()).toEqual([]);
  });

  test("that may only read sees the drift, and leaves the steps for what it may not do", async () => {
    const { repositories, provision, audited } = await arrange({ as: READER });
    expect(await provision()).toMatchObject({
      is_complete: false,
      items: [
        {
          state: "incomplete",
          drift: [{ kind: "missing" }],
          left: [{ kind: "create" }],
          is_uncertain: false,
          problem: {
            code: "bitbucket_forbidden",
            message: expect.stringContaining("write:webhook:bitbucket"),
          },
          manual: { steps: expect.arrayContaining(['Click "Add webhook".']) },
        },
      ],
    });
    expect(await scene.stored(repositories[0]!.fullName)).toMatchObject({
      drift: [{ kind: "missing" }],
      unreadable: null,
    });
    expect(await audited()).toEqual([]);
  });
});

describe("a failure in the middle", () => {
  test("a 429 ends what was not begun; the same request goes on when the limit allows it", async () => {
    const { id, workspace, repositories, plan, apply, audited } = await arrange({ count: 8 });
    const body = { scope: "targets", plan_digest: (await plan()).plan_digest };
    endFault = server.injectFault(`POST */${workspace}/*`, { kind: "rate_limited" }, { times: 1 });
    const report = await apply(body);
    expect(report.is_complete).toBe(false);
    const byState = (state: string) => report.items.filter((item) => item.state === state).length;
    expect(byState("incomplete")).toBeGreaterThan(0);
    expect(byState("applied") + byState("incomplete")).toBe(8);
    for (const { problem } of report.items.filter(({ state }) => state === "incomplete")) {
      expect(problem!.code).toMatch(/rate_limited|budget_exhausted/);
    }
    expect(repositories.filter((each) => hooksOf(each).length === 1)).toHaveLength(byState("applied"));

    const blocked = await plan();
    expect(blocked.items[0]).toMatchObject({
      state: "failed",
      problem: { code: "bitbucket_budget_exhausted", retry_after_ms: expect.any(Number) },
    });
    expect(await scene.stored(repositories[0]!.fullName)).toBeDefined();
    await scene.store.sql`UPDATE sluice.call_budgets SET blocked_until = NULL WHERE integration_id = ${id}`;
    expect(await apply(body)).toMatchObject({ is_complete: true });
    expect(repositories.map((each) => hooksOf(each).length)).toEqual(repositories.map(() => 1));
    expect(await audited()).toHaveLength(8);
  });

  test("an outage is told of each repository, and the request that is sent again does the rest", async () => {
    const { repositories, plan, apply } = await arrange({ count: 3 });
    const body = { scope: "targets", plan_digest: (await plan()).plan_digest };
    const broken = repositories[1]!.fullName;
    endFault = server.injectFault(`POST */${broken}/*`, { kind: "status", status: 503 });
    expect(await apply(body)).toMatchObject({
      is_complete: false,
      items: [
        { state: "applied" },
        { state: "incomplete", is_uncertain: true, problem: { code: "bitbucket_unavailable" }, manual: null },
        { state: "applied" },
      ],
    });
    endFault();
    expect(await apply(body)).toMatchObject({
      is_complete: true,
      items: [{ state: "unchanged" }, { state: "applied" }, { state: "unchanged" }],
    });
    expect(repositories.map((each) => hooksOf(each).length)).toEqual([1, 1, 1]);
  });

  test("a webhook that was made, though the answer was lost, is found and not made again", async () => {
    const { workspace, repositories, provision, plan, audited } = await arrange();
    endFault = server.injectFault(`POST */${workspace}/*`, { kind: "lost_answer" }, { times: 1 });
    server.clearCalls();
    expect(await provision()).toMatchObject({ is_complete: true, items: [{ state: "applied", drift: [] }] });
    expect(server.countCalls("POST *")).toBe(1);
    expect(hooksOf(repositories[0]!)).toHaveLength(1);
    expect(await plan()).toMatchObject({ items: [{ actions: [] }] });
    expect(await audited()).toMatchObject([
      { action: "webhook.created", details: { hook_id: hooksOf(repositories[0]!)[0]!.uuid } },
    ]);
  });

  test("a webhook that Bitbucket makes after nobody waits for it is found by the request that is sent again", async () => {
    const { workspace, repositories, plan, apply, audited } = await arrange();
    const body = { scope: "targets", plan_digest: (await plan()).plan_digest };
    const slow = { kind: "slow", delayMs: 5_000 } as const;
    endFault = server.injectFault(`POST */${workspace}/*`, slow, { times: 1 });
    expect(await apply(body)).toMatchObject({
      is_complete: false,
      items: [{ state: "incomplete", is_uncertain: true, problem: { code: "bitbucket_timeout" } }],
    });
    expect(await audited()).toMatchObject([
      { action: "webhook.created", details: { hook_id: null, is_uncertain: true } },
    ]);
    await expect.poll(() => hooksOf(repositories[0]!).length, { timeout: 10_000 }).toBe(1);
    expect(await apply(body)).toMatchObject({ is_complete: true, items: [{ state: "unchanged" }] });
    expect(hooksOf(repositories[0]!)).toHaveLength(1);
  });

  test("a Bitbucket that does not answer is told of, in the time that every request has", async () => {
    const { workspace, plan } = await arrange({ count: 6 });
    endFault = server.injectFault(`GET */${workspace}/*`, { kind: "slow", delayMs: 20_000 });
    const { items, remaining } = await plan();
    expect(items.map(({ state, problem }) => [state, problem?.code])).toEqual(
      Array.from({ length: 5 }, () => ["failed", "bitbucket_timeout"]),
    );
    expect(remaining).toBe(1);
  });

  test("a webhook that is gone when it is to be changed is told of, without steps for a person", async () => {
    const { workspace, url, repositories, provision } = await arrange();
    repositories[0]!.createHook({ url, events: ["repo:push"], secret: "s" });
    endFault = server.injectFault(`PUT */${workspace}/*`, { kind: "status", status: 404 });
    expect(await provision()).toMatchObject({
      items: [{ state: "incomplete", problem: { code: "bitbucket_not_found" }, manual: null }],
    });
  });

  test("of two, the webhook that stays is not mended: the other is not deleted", async () => {
    const { workspace, url, repositories, provision, plan } = await arrange();
    for (let n = 0; n < 2; n += 1) repositories[0]!.createHook({ url, events: ["repo:push"], secret: "s" });
    endFault = server.injectFault(`PUT */${workspace}/*`, { kind: "status", status: 400 });
    expect(await provision()).toMatchObject({
      items: [{ state: "incomplete", done: [], left: [{ kind: "update" }, { kind: "delete" }] }],
    });
    expect(hooksOf(repositories[0]!)).toHaveLength(2);
    endFault();
    await provision();
    expect(hooksOf(repositories[0]!)).toHaveLength(1);
    expect(await plan()).toMatchObject({ items: [{ drift: [] }] });
  });
});

describe("an apply", () => {
  test("of something else than was planned is refused, and nothing is done", async () => {
    const { url, repositories, plan, send } = await arrange({ count: 2 });
    const { plan_digest } = await plan();
    const hook = repositories[0]!.createHook({ url, events: ["repo:push"] });
    const before = { ...hook };
    expect(await send("apply", { scope: "targets", plan_digest })).toMatchObject({
      status: 409,
      body: { type: "urn:sluice:problem:plan_changed", changed: [repositories[0]!.fullName] },
    });
    expect(repositories.map(hooksOf)).toEqual([[before], []]);
  });

  test("needs the digest of a plan", async () => {
    const { send } = await arrange();
    for (const plan_digest of ["", "guess", btoa('{"through":1,"actions":[]}')]) {
      expect(await send("apply", { scope: "targets", plan_digest })).toMatchObject({
        status: 400,
        body: { errors: [{ field: "plan_digest" }] },
      });
    }
  });
});

describe("a request", () => {
  test.each([
    [{}, "scope"],
    [{ scope: "everything" }, "scope"],
    [{ scope: { repository: "acme" } }, "scope"],
    [{ scope: { repository: "a/b", workspace: "a" } }, "scope"],
    [{ scope: { workspace: "a/b" } }, "scope"],
    [{ scope: "targets", limit: 51 }, "limit"],
    [{ scope: "targets", remove: true, renew_secret: true }, "renew_secret"],
    [{ scope: "targets", cursor: "x" }, "cursor"],
    [{ scope: "targets", delete: true }, "delete"],
  ])("%j is not valid for its %s", async (body, field) => {
    const { send } = await arrange({ count: 0 });
    const { status, body: problem } = await send("plan", body);
    expect(status).toBe(400);
    expect(JSON.stringify((problem as { errors: unknown }).errors)).toContain(`"field":"${field}`);
  });

  test("for a name that is a step in a path reaches nothing else", async () => {
    const { plan } = await arrange({ count: 0 });
    expect(await plan({ scope: { repository: "../user" } })).toMatchObject({
      items: [{ state: "failed", problem: { code: "bitbucket_invalid_name" } }],
    });
  });

  test("needs an admin of the integration's space; to others it is not there, or forbidden", async () => {
    const { id, send } = await arrange();
    const keyed = {
      call: (method: string, path: string, body?: unknown) =>
        call(`${scene.api.url}${path}`, { method, body }),
    };
    const space = `apart-${randomUUID()}`;
    const spaceId = await addSpace(scene, space, { inherits: false });
    const bearer = ({ key }: { key: string }) => ({ authorization: `Bearer ${key}` });
    const elsewhere = await makeKey(keyed, { name: space, role: "admin", space });
    expect(await send("plan", { scope: "targets" }, bearer(elsewhere))).toMatchObject({ status: 404 });
    await scene.store.sql`UPDATE sluice.integrations SET space_id = ${spaceId} WHERE id = ${id}`;
    expect(await send("plan", { scope: "targets" }, bearer(elsewhere))).toMatchObject({ status: 200 });
    // The default integration belongs to no space.
    await scene.store.sql`UPDATE sluice.integrations SET space_id = NULL WHERE id = ${id}`;
    expect(await send("plan", { scope: "targets" }, bearer(elsewhere))).toMatchObject({ status: 404 });
    expect(await send("plan", { scope: "targets" })).toMatchObject({ status: 200 });
    const writer = await makeKey(keyed, { name: `${space} writer`, role: "write", space: "root" });
    expect(await send("apply", { scope: "targets", plan_digest: "" }, bearer(writer))).toMatchObject({
      status: 403,
    });
    const path = `/v1/integrations/${NOBODY}/webhooks/plan`;
    const answer = await call(`${scene.api.url}${path}`, { method: "POST", body: { scope: "targets" } });
    expect(answer.status).toBe(404);
  });

  test("is told what is not set up", async () => {
    const { id, send } = await arrange();
    await scene.store.sql`UPDATE sluice.integrations SET credential_ciphertext = NULL WHERE id = ${id}`;
    expect(await send("plan", { scope: "targets" })).toMatchObject({
      status: 409,
      body: { type: "urn:sluice:problem:not_configured", detail: expect.stringContaining("credential") },
    });
    const unnamed = await scene.startApi(null);
    const url = `${unnamed.url}/v1/integrations/${id}/webhooks/plan`;
    expect(await call(url, { method: "POST", body: { scope: "targets" } })).toMatchObject({
      status: 409,
      body: { detail: expect.stringContaining("SLUICE_PUBLIC_URL") },
    });
    await unnamed.close(1_000);
  });
});
