import { createTestDatabase } from "@sluice/embedded/test-database";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { z } from "zod";

import { makeKey } from "./test-access.ts";
import { createTestApi, migrateForApi, NOBODY, type TestApi } from "./test-api.ts";
import { addIntegration, aTarget, bearer, overtake, statusesOf } from "./test-targets.ts";

let api: TestApi;

beforeAll(async () => {
  const serverUrl = inject("postgresUrl");
  api = await createTestApi(await createTestDatabase({ serverUrl, migrate: migrateForApi, key: "api" }));
  await addIntegration(api, "account", null);
});

afterAll(() => api.close());

const spaceSchema = z.object({
  id: z.string(),
  name: z.string(),
  parent: z.string().nullable(),
  inherit_entities: z.boolean(),
});

interface Tree {
  readonly parent?: string;
  readonly inherits?: boolean;
}

async function make(name: string, { parent = "root", inherits = true }: Tree = {}, key?: string) {
  const body = { name, parent, inherit_entities: inherits };
  const answer = await api.call("POST", "/v1/spaces", body, key === undefined ? {} : bearer(key));
  expect(answer).toMatchObject({ status: 201 });
  return spaceSchema.parse(answer.body);
}

async function adminOf(space: string): Promise<string> {
  return (await makeKey(api, { name: `admin of ${space}`, role: "admin", space })).key;
}

async function put(id: string, body: object, headers: Record<string, string> = {}) {
  return api.call("PUT", `/v1/spaces/${id}`, body, { "if-match": "*", ...headers });
}

const makeStack = (name: string, space: string, integration?: string) =>
  api.call(
    "POST",
    "/v1/stacks",
    aTarget(name, { space, ...(integration === undefined ? {} : { integration }) }),
  );

describe("a space", () => {
  test("is made, looked at and listed after its parent", async () => {
    await make("shop");
    const eu = await make("shop eu", { parent: "shop", inherits: false });
    expect(eu).toMatchObject({ name: "shop eu", parent: "shop", inherit_entities: false });
    const found = await api.call("GET", `/v1/spaces/${eu.id}`);
    expect(found.body).toMatchObject({ ...eu, path: ["root", "shop", "shop eu"] });
    expect(found.headers.get("etag")).toMatch(/^"\S+"$/);
    expect((await api.call("GET", "/v1/spaces?parent=shop")).body).toEqual({
      items: [found.body],
      next_cursor: null,
    });
  });

  test("has a name that nothing else has, however it is spelt, and of which two at once make one", async () => {
    const body = { name: "Caf\u00E9" };
    const answers = await Promise.all([
      api.call("POST", "/v1/spaces", body),
      api.call("POST", "/v1/spaces", body),
    ]);
    expect(statusesOf(answers)).toEqual([201, 409]);
    const again = await api.call("POST", "/v1/spaces", { name: "Cafe\u0301" });
    expect(again).toMatchObject({ status: 409, body: { type: "urn:sluice:problem:name_taken" } });
    expect(await api.call("POST", "/v1/spaces", { name: "root" })).toMatchObject({ status: 409 });
  });

  test.each([
    ["nothing", ""],
    ["blanks around it", " a"],
    ["a NUL", "a\0b"],
    ["half a surrogate pair", "a\uD800"],
    ["characters that turn its direction", "a\u202Egnp.exe"],
    ["characters that nobody sees", "a\u200Bb"],
    ["too many characters", "a".repeat(101)],
  ])("cannot have a name of %s", async (_, name) => {
    expect(await api.call("POST", "/v1/spaces", { name })).toMatchObject({
      status: 400,
      body: { errors: [{ field: "name" }] },
    });
  });

  test("is listed page by page, each once, to whoever reaches it", async () => {
    await make("paged");
    for (const name of ["one", "two", "three"]) await make(`paged ${name}`, { parent: "paged" });
    await make("paged apart", { parent: "paged", inherits: false });
    const { key } = await makeKey(api, { name: "pages", role: "read", space: "paged" });
    const names: string[] = [];
    let cursor = "";
    do {
      const { body } = await api.call("GET", `/v1/spaces?limit=2${cursor}`, undefined, bearer(key));
      const page = z.object({ items: z.array(spaceSchema), next_cursor: z.string().nullable() }).parse(body);
      names.push(...page.items.map(({ name }) => name));
      cursor = page.next_cursor === null ? "" : `&cursor=${page.next_cursor}`;
    } while (cursor !== "");
    expect(names).toEqual(["paged", "paged one", "paged three", "paged two"]);
  });

  test("out of reach is not found, whatever is asked of it", async () => {
    const other = await make("not yours");
    await make("yours");
    const headers = { ...bearer(await adminOf("yours")), "if-match": "*" };
    for (const id of [other.id, NOBODY]) {
      for (const [method, body] of [
        ["GET"],
        ["PUT", { parent: "yours", inherit_entities: true }],
        ["DELETE"],
      ] as const) {
        expect(await api.call(method, `/v1/spaces/${id}`, body, headers)).toMatchObject({
          status: 404,
          body: { detail: "There is no such space within your reach." },
        });
      }
    }
    expect(await api.call("POST", "/v1/spaces", { name: "x", parent: "not yours" }, headers)).toMatchObject({
      status: 404,
    });
    const { body } = await api.call("GET", "/v1/spaces", undefined, headers);
    expect(body).toMatchObject({ items: [{ name: "yours", parent: null, path: ["yours"] }] });
  });
});

describe("changing a space", () => {
  test("is for admins of its parent, not for those of itself alone", async () => {
    await make("firm");
    const team = await make("firm team", { parent: "firm" });
    const body = { parent: "firm", inherit_entities: false };
    const ofTeam = bearer(await adminOf("firm team"));
    expect(await put(team.id, body, ofTeam)).toMatchObject({
      status: 403,
      body: { detail: expect.stringContaining("A space is changed by admins of its parent") },
    });
    expect((await api.call("DELETE", `/v1/spaces/${team.id}`, undefined, ofTeam)).status).toBe(403);
    expect(await put(team.id, body, bearer(await adminOf("firm")))).toMatchObject({
      status: 200,
      body: { name: "firm team", parent: "firm", inherit_entities: false },
    });
  });

  test("needs an admin of both parents to move it", async () => {
    await make("from");
    await make("to");
    const moved = await make("moved", { parent: "from" });
    const body = { parent: "to", inherit_entities: true };
    expect(await put(moved.id, body, bearer(await adminOf("from")))).toMatchObject({ status: 404 });
    expect(await put(moved.id, body, bearer(await adminOf("to")))).toMatchObject({ status: 404 });
    expect(await put(moved.id, body)).toMatchObject({
      status: 200,
      body: { parent: "to", path: ["root", "to", "moved"] },
    });
    const { body: log } = await api.call("GET", `/v1/audit-log?subject_id=${moved.id}`);
    expect(log).toMatchObject({
      items: [
        { action: "space.updated", details: { from: { parent: null }, to: { parent: "to" } } },
        { action: "space.updated", details: { from: { parent: "from" }, to: { parent: null } } },
        { action: "space.created" },
      ],
    });
  });

  test("tells the admins of either parent that it moved, and neither the other's name", async () => {
    const left = await make("left");
    const entered = await make("entered");
    const moved = await make("mover", { parent: "left" });
    expect(await put(moved.id, { parent: "entered", inherit_entities: false })).toMatchObject({
      status: 200,
    });
    for (const [parent, other] of [
      [left, entered],
      [entered, left],
    ] as const) {
      const key = await adminOf(parent.name);
      const path = `/v1/audit-log?action=space.updated&subject_id=${moved.id}`;
      const { body } = await api.call("GET", path, undefined, bearer(key));
      expect(body).toMatchObject({ items: [{ space_id: parent.id }] });
      expect(JSON.stringify(body)).not.toContain(other.name);
      expect(JSON.stringify(body)).not.toContain(other.id);
    }
  });

  test("never makes it its own ancestor, also not by two moves at once", async () => {
    const one = await make("circle one");
    const two = await make("circle two");
    const moves = [
      put(one.id, { parent: "circle two", inherit_entities: true }),
      put(two.id, { parent: "circle one", inherit_entities: true }),
    ];
    const answers = await Promise.all(moves);
    expect(statusesOf(answers)).toEqual([200, 400]);
    expect(answers.find(({ status }) => status === 400)?.body).toMatchObject({
      errors: [{ field: "parent", message: expect.stringMatching(/would be its own ancestor: .+ → .+ → /) }],
    });
    expect(await put(one.id, { parent: "circle one", inherit_entities: true })).toMatchObject({
      status: 400,
    });
  });

  test("leaves the root and every name as they are", async () => {
    const { body } = await api.call("GET", "/v1/spaces?limit=1");
    const [root] = z.object({ items: z.array(spaceSchema) }).parse(body).items;
    expect(root?.name).toBe("root");
    const id = root?.id ?? "";
    expect(await put(id, { parent: "root", inherit_entities: true })).toMatchObject({ status: 403 });
    expect((await api.call("DELETE", `/v1/spaces/${id}`)).status).toBe(403);
    const named = await make("named");
    const wanted = { name: "renamed", parent: "root", inherit_entities: true };
    expect(await put(named.id, wanted)).toMatchObject({ status: 400, body: { errors: [{ field: "name" }] } });
    expect(await put(named.id, { ...wanted, name: "named" })).toMatchObject({ status: 200, body: named });
  });

  test("takes the version that it replaces: of two at once with one ETag one is done", async () => {
    const { id } = await make("edited");
    const { headers } = await api.call("GET", `/v1/spaces/${id}`);
    const seen = { "if-match": headers.get("etag") ?? "" };
    const body = { parent: "root", inherit_entities: false };
    const answers = await Promise.all([put(id, body, seen), put(id, body, seen)]);
    expect(statusesOf(answers)).toEqual([200, 412]);
    const without = await api.call("PUT", `/v1/spaces/${id}`, body);
    expect(without).toMatchObject({
      status: 428,
      body: { type: "urn:sluice:problem:precondition_required" },
    });
  });

  test("is refused while a target would lose its integration by it, and not for others", async () => {
    await make("owner");
    await addIntegration(api, "owned", "owner");
    const user = await make("user", { parent: "owner" });
    const below = await make("user below", { parent: "user" });
    const { body: stack } = await makeStack("network", "user below", "owned");
    await makeStack("by default", "user below");
    const refused = {
      status: 409,
      body: {
        type: "urn:sluice:problem:in_use",
        detail:
          'Give these another integration first: stack "network" in "user below" could no longer use the integration "owned".',
        used_by: [{ kind: "stack", name: "network", space: "user below", integration: "owned" }],
        used_by_count: 1,
      },
    };
    expect(await put(user.id, { parent: "root", inherit_entities: true })).toMatchObject(refused);
    expect(await put(user.id, { parent: "owner", inherit_entities: false })).toMatchObject(refused);
    expect(await put(below.id, { parent: "owner", inherit_entities: true })).toMatchObject({ status: 200 });
    expect(await put(below.id, { parent: "user", inherit_entities: true })).toMatchObject({ status: 200 });
    const { id } = z.object({ id: z.string() }).parse(stack);
    const moved = { repository: "acme/infrastructure", tracked_branch: "main" };
    expect(await api.call("PUT", `/v1/stacks/${id}`, moved, { "if-match": "*" })).toMatchObject({
      status: 200,
    });
    expect(await put(user.id, { parent: "root", inherit_entities: true })).toMatchObject({ status: 200 });
  });

  test("is not done by a key that was revoked, or lost the space, while the request waited", async () => {
    await make("race");
    const raced = await make("raced", { parent: "race" });
    const { key, id } = await makeKey(api, { name: "raced", role: "admin", space: "race" });
    const body = { parent: "race", inherit_entities: false };
    const lost = await overtake(
      api,
      () => put(raced.id, body, bearer(key)),
      (tx) => tx.sql`UPDATE sluice.spaces SET inherit_entities = false WHERE id = ${raced.id}`,
    );
    expect(lost).toMatchObject({ status: 404 });
    const revoked = await overtake(
      api,
      () => api.call("POST", "/v1/spaces", { name: "too late", parent: "race" }, bearer(key)),
      (tx) => tx.sql`UPDATE sluice.api_keys SET revoked_at = now() WHERE id = ${id}`,
    );
    expect(revoked).toMatchObject({ status: 401 });
    expect(await api.call("POST", "/v1/spaces", { name: "too late" })).toMatchObject({ status: 201 });
  });
});

describe("deleting a space", () => {
  test("is refused by name of what is in it, and done once that is gone", async () => {
    const full = await make("full");
    const child = await make("full child", { parent: "full", inherits: false });
    const integrationId = await addIntegration(api, "of full", "full");
    const { body } = await makeStack("web", "full", "of full");
    const stack = z.object({ id: z.string() }).parse(body);
    const { id: keyId } = await makeKey(api, { name: "of full", role: "read", space: "full" });
    const remove = () => api.call("DELETE", `/v1/spaces/${full.id}`);
    const refused = await remove();
    expect(refused).toMatchObject({
      status: 409,
      body: { type: "urn:sluice:problem:in_use", used_by_count: 4 },
    });
    expect(refused.body).toMatchObject({
      detail:
        'The space "full" still has the API key "of full", the integration "of full", the space "full child", the stack "web".',
      used_by: [
        { kind: "api_key", id: keyId, name: "of full" },
        { kind: "integration", id: integrationId, name: "of full" },
        { kind: "space", id: child.id, name: "full child" },
        { kind: "stack", id: stack.id, name: "web" },
      ],
    });
    await api.call("DELETE", `/v1/spaces/${child.id}`);
    await api.call("DELETE", `/v1/stacks/${stack.id}`);
    await api.call("DELETE", `/v1/api-keys/${keyId}`);
    expect(await remove()).toMatchObject({ body: { used_by: [{ kind: "integration" }], used_by_count: 1 } });
    await api.store.sql`UPDATE sluice.integrations SET deleted_at = now() WHERE id = ${integrationId}`;
    expect(await remove()).toMatchObject({ status: 200, body: { name: "full" } });
    expect((await api.call("GET", `/v1/spaces/${full.id}`)).status).toBe(404);
    // What history refers to is still there.
    expect(await api.store.sql`SELECT name FROM sluice.targets WHERE id = ${stack.id}`).toEqual([
      { name: "web" },
    ]);
    expect((await api.call("GET", `/v1/api-keys/${keyId}`)).body).toMatchObject({ space: "root" });
  });

  test("does not name spaces in it that the key does not reach", async () => {
    await make("above");
    const middle = await make("middle", { parent: "above" });
    await make("secret place", { parent: "middle", inherits: false });
    const headers = bearer(await adminOf("above"));
    const { status, body } = await api.call("DELETE", `/v1/spaces/${middle.id}`, undefined, headers);
    expect(status).toBe(409);
    expect(body).toMatchObject({
      detail: 'The space "middle" still has spaces out of your reach (1).',
      used_by: [],
    });
  });
});
