import { createTestDatabase } from "@sluice/embedded/test-database";
import { createBitbucket } from "@sluice/simulator/bitbucket";
import type { Hook } from "@sluice/simulator/hook";
import type { Repository } from "@sluice/simulator/repository";
import type { Credential } from "@sluice/simulator/rest-auth";
import { startBitbucketServer, type BitbucketServer } from "@sluice/simulator/rest-server";
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from "vitest";

import { migrateForApi } from "./test-api.ts";
import { ALL_EVENTS, createWebhookScene, WEBHOOK_SECRET, type WebhookScene } from "./test-webhooks.ts";

const FULL: Credential = { kind: "access_token", token: "full" };

const bitbucket = createBitbucket({ seed: "webhooks of the API" });

let server: BitbucketServer;
let scene: WebhookScene;
let endFault: (() => void) | undefined;
let made = 0;

beforeAll(async () => {
  server = await startBitbucketServer({ bitbucket, credentials: [FULL] });
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

describe("webhooks of an integration's repositories", () => {
  test("are missing at first; planned and applied, they are sound, and nothing is left to do", async () => {
    const { url, repositories, plan, apply, workspace, audited } = await arrange({ count: 3 });
    const seen = await plan();
    expect(seen.items).toMatchObject(
      repositories.map(({ fullName }) => ({
        kind: "repository",
        name: fullName,
        state: "read",
        drift: [{ kind: "missing", hook_id: null }],
        actions: [{ kind: "create", url, events: ALL_EVENTS, reasons: ["missing"] }],
      })),
    );
    expect(JSON.stringify(seen)).not.toContain(WEBHOOK_SECRET);
    expect(await scene.stored(repositories[0]!.fullName)).toMatchObject({
      drift: [{ kind: "missing" }],
      unreadable: null,
    });

    const report = await apply({ scope: "targets", plan_digest: seen.plan_digest });
    expect(report).toMatchObject({ is_complete: true, not_reached: [] });
    expect(report.items.map(({ state, drift }) => [state, drift])).toEqual(
      repositories.map(() => ["applied", []]),
    );
    for (const repository of repositories) {
      expect(hooksOf(repository)).toMatchObject([
        { url, secret: WEBHOOK_SECRET, active: true, skipCertVerification: false, events: ALL_EVENTS },
      ]);
    }
    expect(hooksOf(repositories[0]!)[0]!.description).toBe(`Sluice: ${workspace}`);
    expect((await plan()).items.flatMap(({ drift, actions }) => [...drift, ...actions])).toEqual([]);
    expect(await scene.stored(repositories[0]!.fullName)).toMatchObject({ drift: [], unreadable: null });
    expect((await audited()).map(({ action }) => action)).toEqual(repositories.map(() => "webhook.created"));
  });

  test.each([
    ["wrong_url", { url: "https://old.example.com/webhooks/bitbucket-cloud/SLUG" }],
    ["inactive", { active: false }],
    ["missing_events", { events: ["repo:push", "repo:fork"] }],
    ["secret_not_set", { secret: null }],
    ["certificate_not_checked", { skipCertVerification: true }],
  ] as const)("that drifted to %s are repaired", async (kind, spoilt) => {
    const { workspace, url, repositories, provision, drifts, plan, audited } = await arrange();
    await provision();
    const [hook] = hooksOf(repositories[0]!);
    Object.assign(hook!, spoilt);
    hook!.url = hook!.url.replace("SLUG", workspace);
    expect(await drifts()).toEqual([[kind]]);
    expect(await provision()).toMatchObject({
      items: [{ state: "applied", done: [{ hook_id: hook!.uuid }] }],
    });
    expect(hooksOf(repositories[0]!)).toMatchObject([
      { uuid: hook!.uuid, url, active: true, secret: WEBHOOK_SECRET, skipCertVerification: false },
    ]);
    expect(hook!.events).toEqual(expect.arrayContaining([...ALL_EVENTS]));
    expect(hook!.events.includes("repo:fork")).toBe(kind === "missing_events");
    expect(await plan()).toMatchObject({ items: [{ drift: [], actions: [] }] });
    expect((await audited()).at(-1)).toMatchObject({
      action: "webhook.updated",
      details: {
        repository: repositories[0]!.fullName,
        hook_id: hook!.uuid,
        url,
        reasons: expect.arrayContaining([kind]),
      },
    });
  });

  test("that are two become one, and those of others are neither touched nor shown", async () => {
    const { url, repositories, provision, drifts, plan } = await arrange();
    const [repository] = repositories;
    await provision();
    repository!.createHook({ url, events: ALL_EVENTS, secret: null });
    const foreign = repository!.createHook({ url: "https://ci.example.com/T0KEN", events: ["repo:push"] });
    const before = { ...foreign };
    expect(await drifts()).toEqual([["duplicate"]]);
    expect(JSON.stringify(await plan())).not.toContain("T0KEN");
    await provision();
    expect(hooksOf(repository!).map((hook) => hook.secret)).toEqual([WEBHOOK_SECRET, null]);
    await provision({ scope: "targets", remove: true });
    expect(hooksOf(repository!)).toEqual([before]);
  });

  test("are given the present secret when that is asked for", async () => {
    const { repositories, provision } = await arrange();
    await provision();
    const [hook] = hooksOf(repositories[0]!);
    hook!.secret = "the one before the rotation";
    expect(await provision()).toMatchObject({ items: [{ state: "unchanged" }] });
    expect(await provision({ scope: "targets", renew_secret: true })).toMatchObject({ is_complete: true });
    expect(hook!.secret).toBe(WEBHOOK_SECRET);
  });

  test("are deleted when that is asked for, once", async () => {
    const { repositories, plan, provision, apply, audited } = await arrange();
    await provision();
    const body = { scope: "targets", remove: true };
    const { plan_digest } = await plan(body);
    expect(await apply({ ...body, plan_digest })).toMatchObject({
      items: [{ state: "applied", done: [{ kind: "delete", reasons: ["removed"] }] }],
    });
    expect(hooksOf(repositories[0]!)).toEqual([]);
    expect(await apply({ ...body, plan_digest })).toMatchObject({ items: [{ state: "unchanged" }] });
    expect((await audited()).map(({ action }) => action)).toEqual(["webhook.created", "webhook.deleted"]);
  });

  test("come page by page, and each page is applied by itself", async () => {
    const { repositories, plan, apply } = await arrange({ count: 5 });
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const page: Record<string, unknown> = { scope: "targets", ...(cursor === null ? {} : { cursor }) };
      const planned: Awaited<ReturnType<typeof plan>> = await plan({ ...page, limit: 2 });
      expect(planned.remaining).toBe(5 - seen.length - planned.items.length);
      seen.push(...planned.items.map(({ name }) => name));
      const report = await apply({ ...page, plan_digest: planned.plan_digest });
      expect(report.items.map(({ name }) => name)).toEqual(planned.items.map(({ name }) => name));
      cursor = planned.next_cursor;
    } while (cursor !== null);
    expect(seen.toSorted()).toEqual(repositories.map(({ fullName }) => fullName).toSorted());
    expect(repositories.map((repository) => hooksOf(repository).length)).toEqual([1, 1, 1, 1, 1]);
  });

  test("are asked for a few at a time, and what Bitbucket is too slow for is left for later", async () => {
    const { workspace, plan, apply, repositories } = await arrange({ count: 12 });
    endFault = server.injectFault(`GET */${workspace}/infra-*`, { kind: "slow", delayMs: 1_600 });
    const planned = await plan();
    expect(planned.items).toHaveLength(5);
    expect(planned).toMatchObject({ remaining: 7, next_cursor: expect.any(String) });
    endFault();
    expect(await apply({ scope: "targets", plan_digest: planned.plan_digest })).toMatchObject({
      is_complete: true,
    });
    expect(repositories.filter((repository) => hooksOf(repository).length === 1)).toHaveLength(5);
  });
});

describe("one repository", () => {
  test("that no stack uses yet can be given a webhook, and is known by its uuid once it was seen", async () => {
    const { id, workspace, provision, plan } = await arrange({ count: 0 });
    const repository = bitbucket.createRepository({ workspace, slug: "new" });
    const body = { scope: { repository: `${workspace}/NEW` } };
    expect(await provision(body)).toMatchObject({
      items: [{ state: "applied", repository_id: null }],
      is_complete: true,
    });
    expect(hooksOf(repository)).toHaveLength(1);
    await scene.store.sql`
      INSERT INTO sluice.repositories (integration_id, uuid, full_name)
      VALUES (${id}, ${repository.uuid}, ${repository.fullName})`;
    repository.rename({ slug: "renamed" });
    expect(await plan(body)).toMatchObject({ items: [{ repository_id: expect.any(String), actions: [] }] });
    expect(await scene.stored(`${workspace}/new`)).toMatchObject({ drift: [] });
  });
});

describe("the webhook of a workspace", () => {
  test("is one for all repositories, and makes their own ones duplicates", async () => {
    const { workspace, url, repositories, provision, plan, drifts } = await arrange();
    await provision();
    expect(await provision({ scope: { workspace } })).toMatchObject({
      items: [{ kind: "workspace", name: workspace, state: "applied" }],
    });
    expect([...bitbucket.workspace(workspace).hooks.values()]).toMatchObject([
      { url, secret: WEBHOOK_SECRET },
    ]);
    expect(await drifts()).toEqual([["duplicate"]]);
    await provision();
    expect(hooksOf(repositories[0]!)).toEqual([]);
    expect(await plan()).toMatchObject({ items: [{ covered_by_workspace: true, drift: [], actions: [] }] });
  });
});
