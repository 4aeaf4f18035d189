import { createTestDatabase } from "@sluice/embedded/test-database";
import { createBitbucket } from "@sluice/simulator/bitbucket";
import type { Credential } from "@sluice/simulator/rest-auth";
import { startBitbucketServer, type BitbucketServer } from "@sluice/simulator/rest-server";
import { workAlone } from "@sluice/store/exclusive-work";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";

import { addSpace, makeKey } from "./test-access.ts";
import { call, migrateForApi } from "./test-api.ts";
import { bearer } from "./test-integrations.ts";
import { createWebhookScene, type WebhookScene } from "./test-webhooks.ts";

const FULL: Credential = { kind: "access_token", token: "full" };

const bitbucket = createBitbucket({ seed: "webhooks that are applied" });

let server: BitbucketServer;
let scene: WebhookScene;
let made = 0;

beforeAll(async () => {
  server = await startBitbucketServer({ bitbucket, credentials: [FULL] });
  const serverUrl = inject("postgresUrl");
  const database = await createTestDatabase({ serverUrl, migrate: migrateForApi, key: "api" });
  scene = await createWebhookScene({ database, bitbucketUrl: server.url });
});

afterAll(async () => {
  await scene.close();
  await server.close();
});

/** An integration in a space of its own, an admin of that space, and what was planned for one repository. */
async function arrange() {
  made += 1;
  const name = `team-${String(made)}`;
  const repository = bitbucket.createRepository({ workspace: name, slug: "infra" });
  const integration = await scene.addIntegration({
    slug: name,
    credential: FULL,
    repositories: [repository.fullName],
  });
  const spaceId = await addSpace(scene, name);
  await scene.store.sql`UPDATE sluice.integrations SET space_id = ${spaceId} WHERE id = ${integration.id}`;
  const keyed = {
    call: (method: string, path: string, body?: unknown) => call(`${scene.api.url}${path}`, { method, body }),
  };
  const admin = await makeKey(keyed, { name, role: "admin", space: name });
  const { plan_digest: digest } = await integration.plan();
  const body = { scope: "targets", plan_digest: digest };
  return {
    ...integration,
    name,
    admin,
    apply: () => integration.send("apply", body, bearer(admin.key)),
    countHooks: () => repository.state.hooks.size,
  };
}

/** Applies what was planned, and does something else once it has begun to look, before Bitbucket has answered all of it. */
async function overtakeLook(
  { name, apply }: Awaited<ReturnType<typeof arrange>>,
  overtaking: () => Promise<unknown>,
) {
  // A call is counted when it is answered: that for the workspace's webhooks goes out with that for the repository's.
  const endFault = server.injectFault(`GET */${name}/infra/hooks`, { kind: "slow", delayMs: 1_200 });
  server.clearCalls();
  const answered = apply();
  await expect.poll(() => server.countCalls(`GET */workspaces/${name}/hooks`)).toBe(1);
  await overtaking();
  const answer = await answered;
  endFault();
  return answer;
}

describe("changing webhooks", () => {
  test("at the same time makes one: the others are told that it is being done", async () => {
    const { apply, countHooks, audited } = await arrange();
    const answers = await Promise.all(Array.from({ length: 4 }, apply));
    const refused = answers.filter(({ status }) => status !== 200);
    expect(refused.length).toBeLessThan(answers.length);
    expect(refused).toMatchObject(
      refused.map(() => ({ status: 409, body: { type: "urn:sluice:problem:apply_running" } })),
    );
    expect(countHooks()).toBe(1);
    expect(await audited()).toHaveLength(1);
  });

  test("waits for nobody: while another does it, it is refused, and afterwards done", async () => {
    const { id, apply, countHooks } = await arrange();
    const other = await arrange();
    await workAlone(scene.store, `webhooks:${id}`, async () => {
      expect(await apply()).toMatchObject({
        status: 409,
        body: { type: "urn:sluice:problem:apply_running" },
      });
      // Of another integration.
      expect(await other.apply()).toMatchObject({ status: 200 });
    });
    expect(countHooks()).toBe(0);
    expect(await apply()).toMatchObject({ status: 200, body: { is_complete: true } });
    expect(countHooks()).toBe(1);
  });

  test("is not done by a key that was revoked since it began", async () => {
    const arranged = await arrange();
    const answer = await overtakeLook(arranged, () =>
      call(`${scene.api.url}/v1/api-keys/${arranged.admin.id}`, { method: "DELETE" }),
    );
    expect(answer).toMatchObject({ status: 401, body: { type: "urn:sluice:problem:unauthorized" } });
    expect(arranged.countHooks()).toBe(0);
    expect(await arranged.audited()).toEqual([]);
  });

  test("is not done by a key whose role or spaces are no longer enough", async () => {
    const demoted = await arrange();
    expect(
      await overtakeLook(
        demoted,
        () => scene.store.sql`UPDATE sluice.api_keys SET role = 'write' WHERE id = ${demoted.admin.id}`,
      ),
    ).toMatchObject({ status: 403 });
    const moved = await arrange();
    const moving = () => scene.store.sql`
      UPDATE sluice.api_keys SET space_id = (SELECT id FROM sluice.spaces WHERE name = ${demoted.name})
      WHERE id = ${moved.admin.id}`;
    expect(await overtakeLook(moved, moving)).toMatchObject({ status: 404 });
    expect([demoted.countHooks(), moved.countHooks()]).toEqual([0, 0]);
  });

  test("gives no webhook a secret that was replaced since it began", async () => {
    const arranged = await arrange();
    const rotation = `${scene.api.url}/v1/integrations/${arranged.id}/webhook-secret/rotate`;
    const answer = await overtakeLook(arranged, () => call(rotation, { method: "POST", body: {} }));
    expect(answer).toMatchObject({ status: 409, body: { type: "urn:sluice:problem:plan_changed" } });
    expect(arranged.countHooks()).toBe(0);
    expect(await arranged.apply()).toMatchObject({ status: 200, body: { is_complete: true } });
  });
});
