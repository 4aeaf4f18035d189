import { createTestDatabase } from "@sluice/embedded/test-database";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { z } from "zod";

import { addSpace } from "./test-access.ts";
import { createTestApi, migrateForApi, NOBODY, type TestApi } from "./test-api.ts";
import { addIntegration, aTarget, namesOf, statusesOf, TARGET_PATHS } from "./test-targets.ts";

let api: TestApi;

beforeAll(async () => {
  const serverUrl = inject("postgresUrl");
  api = await createTestApi(await createTestDatabase({ serverUrl, migrate: migrateForApi, key: "api" }));
  await addIntegration(api, "account", null);
  await addSpace(api, "shop");
  await addSpace(api, "shop eu", { parent: "shop" });
  await addSpace(api, "shop apart", { parent: "shop", inherits: false });
  await addSpace(api, "bank");
  await addIntegration(api, "of shop", "shop");
  await addIntegration(api, "of bank", "bank");
});

afterAll(() => api.close());

const targetSchema = z.looseObject({ id: z.string(), name: z.string() });

async function make(path: string, body: object) {
  const answer = await api.call("POST", path, body);
  expect(answer).toMatchObject({ status: 201 });
  return targetSchema.parse(answer.body);
}

const put = (path: string, id: string, body: object, headers: Record<string, string> = {}) =>
  api.call("PUT", `${path}/${id}`, body, { "if-match": "*", ...headers });

describe.each(TARGET_PATHS)("a $kind", ({ kind, path }) => {
  test("is made with every field, shown with what it belongs to, and found again", async () => {
    const body = aTarget("everything", {
      external_id: "ext-1",
      space: "shop eu",
      integration: "of shop",
      project_root: "/infra/eu/",
      project_globs: ["/modules/**"],
      labels: ["production", "Caf\u0065\u0301"],
      metadata: { tier: 1, owner: { team: "payments" } },
      on_unknown_files: "hold",
      allowed_fork_workspaces: ["Partners"],
      deployers: ["0F3B0A52-7D1C-4E8E-9A68-52C0B7D1E3F4"],
      coalesce: true,
      enabled: false,
      ...(kind === "module" ? { version_from: "tag" } : {}),
    });
    const answer = await api.call("POST", path, body);
    expect(answer).toMatchObject({
      status: 201,
      body: {
        ...body,
        state: "disabled",
        project_root: "infra/eu",
        project_globs: ["modules/**"],
        labels: ["production", "Caf\u00E9"],
        allowed_fork_workspaces: ["partners"],
        deployers: ["{0f3b0a52-7d1c-4e8e-9a68-52c0b7d1e3f4}"],
      },
    });
    const { id } = targetSchema.parse(answer.body);
    const found = await api.call("GET", `${path}/${id}`);
    expect(found.body).toEqual(answer.body);
    expect(found.headers.get("etag")).toBe(answer.headers.get("etag"));
    // What says whose it is stands by its id too.
    const { body: listed } = await api.call("GET", `${path}?external_id=ext-1`);
    expect(listed).toEqual({ items: [answer.body], next_cursor: null });
  });

  test("has the defaults of the file for what is left out", async () => {
    const { id, ...made } = await make(path, aTarget("defaults"));
    expect(made).toMatchObject({
      space: "root",
      integration: "account",
      state: "active",
      external_id: null,
      project_root: "",
      project_globs: [],
      labels: [],
      metadata: {},
      on_unknown_files: null,
      allowed_fork_workspaces: [],
      deployers: [],
      coalesce: false,
      enabled: true,
    });
    expect(made["version_from"]).toBe(kind === "module" ? "file" : undefined);
    expect(id).toMatch(/^[0-9a-f-]{36}$/);
  });

  test("has a name of its own in its space, of which two at once make one", async () => {
    const twice = aTarget("Zo\u00EB");
    const answers = await Promise.all([api.call("POST", path, twice), api.call("POST", path, twice)]);
    expect(statusesOf(answers)).toEqual([201, 409]);
    expect(await api.call("POST", path, aTarget("Zoe\u0308"))).toMatchObject({
      status: 409,
      body: { type: "urn:sluice:problem:name_taken" },
    });
    await make(path, aTarget("Zo\u00EB", { space: "shop" }));
    const { status } = await api.call(
      "POST",
      kind === "stack" ? "/v1/modules" : "/v1/stacks",
      aTarget(`other ${kind}`),
    );
    expect(status).toBe(201);
  });

  test.each([
    ["name", { name: "a\u202Eb" }],
    ["name", { name: "a\0" }],
    ["name", { name: "x".repeat(101) }],
    ["repository", { repository: "https://bitbucket.org/acme/web" }],
    ["tracked_branch", { tracked_branch: "refs/heads/main" }],
    ["tracked_branch", { tracked_branch: "a\uDC00" }],
    ["project_root", { project_root: "../x" }],
    ["project_globs.1", { project_globs: ["**", "[a-"] }],
    ["labels.0", { labels: ["a\u200B"] }],
    ["metadata", { metadata: { a: "x".repeat(16_384) } }],
    ["metadata", { metadata: { a: "\uD800" } }],
    ["metadata", { metadata: ["a"] }],
    ["deployers.0", { deployers: ["somebody"] }],
    ["allowed_fork_workspaces.0", { allowed_fork_workspaces: ["a/b"] }],
    ["integration", { integration: "of bank" }],
    ["integration", { integration: "nobody's" }],
    ["integration", { integration: "of shop", space: "shop apart" }],
    ["state", { state: "disabled" }],
  ])("is refused for a wrong %s: %j", async (field, more) => {
    expect(await api.call("POST", path, aTarget("refused", more))).toMatchObject({
      status: 400,
      body: { type: "urn:sluice:problem:invalid_request", errors: [{ field }] },
    });
    expect(namesOf((await api.call("GET", `${path}?name_prefix=refused`)).body)).toEqual([]);
  });

  test("keeps a key of its metadata whatever it is called", async () => {
    const text = JSON.stringify(aTarget("odd keys")).replace(
      "}",
      ',"metadata":{"__proto__":{"a":1},"constructor":2}}',
    );
    const { status, body } = await api.call("POST", path, text, { "content-type": "application/json" });
    expect(status).toBe(201);
    expect(JSON.stringify(body)).toContain('"metadata":{"__proto__":{"a":1},"constructor":2}');
  });

  test("is replaced by what is sent: what is left out has its default again", async () => {
    const { id } = await make(
      path,
      aTarget("replaced", { labels: ["a"], project_root: "infra", coalesce: true }),
    );
    const replacement = { repository: "acme/other", tracked_branch: "release" };
    const answer = await put(path, id, replacement);
    expect(answer).toMatchObject({
      status: 200,
      body: { id, name: "replaced", ...replacement, labels: [], project_root: "", coalesce: false },
    });
    expect((await api.call("GET", `${path}/${id}`)).body).toEqual(answer.body);
    const { body: log } = await api.call("GET", `/v1/audit-log?subject_id=${id}`);
    expect(log).toMatchObject({
      items: [
        {
          action: `${kind}.updated`,
          details: {
            changed: { repository: { from: "acme/infrastructure", to: "acme/other" }, coalesce: {} },
          },
        },
        { action: `${kind}.created`, actor: { kind: "bootstrap_key" } },
      ],
    });
    // Sent again it changes nothing, and leaves no trace.
    expect((await put(path, id, replacement)).headers.get("etag")).toBe(answer.headers.get("etag"));
    expect((await api.call("GET", `/v1/audit-log?subject_id=${id}`)).body).toEqual(log);
  });

  test("keeps its name and its space", async () => {
    const { id } = await make(path, aTarget("kept"));
    expect(await put(path, id, aTarget("other", { space: "shop" }))).toMatchObject({
      status: 400,
      body: { errors: [{ field: "name" }, { field: "space" }] },
    });
    expect(await put(path, id, aTarget("kept", { space: "root" }))).toMatchObject({ status: 200 });
  });

  test("takes the version that it replaces: of two at once with one ETag one is done", async () => {
    const { id } = await make(path, aTarget("edited"));
    const { headers } = await api.call("GET", `${path}/${id}`);
    const seen = { "if-match": headers.get("etag") ?? "" };
    const answers = await Promise.all(
      ["one", "two"].map((label) => put(path, id, aTarget("edited", { labels: [label] }), seen)),
    );
    expect(statusesOf(answers)).toEqual([200, 412]);
    const done = answers.find(({ status }) => status === 200);
    expect((await api.call("GET", `${path}/${id}`)).body).toEqual(done?.body);
    const without = await api.call("PUT", `${path}/${id}`, aTarget("edited"));
    expect(without).toMatchObject({ status: 428 });
  });

  test("that is removed is gone for people, stays for history, and leaves its name", async () => {
    const { id } = await make(path, aTarget("removed"));
    expect(await api.call("DELETE", `${path}/${id}`)).toMatchObject({ status: 200, body: { id } });
    for (const method of ["GET", "DELETE"]) {
      expect((await api.call(method, `${path}/${id}`)).status).toBe(404);
    }
    expect((await put(path, id, aTarget("removed"))).status).toBe(404);
    const rows = await api.store
      .sql`SELECT removed_at IS NOT NULL AS is_removed FROM sluice.targets WHERE id = ${id}`;
    expect(rows).toEqual([{ isRemoved: true }]);
    expect((await make(path, aTarget("removed"))).id).not.toBe(id);
    expect(
      (await api.call("GET", `/v1/audit-log?subject_id=${id}&action=${kind}.removed`)).body,
    ).toMatchObject({
      items: [{ subject: { name: "removed" } }],
    });
  });

  test("is of its kind: the other resource does not know it", async () => {
    const { id } = await make(path, aTarget(`${kind} of one kind`));
    const other = kind === "stack" ? "/v1/modules" : "/v1/stacks";
    expect((await api.call("GET", `${other}/${id}`)).status).toBe(404);
    expect(namesOf((await api.call("GET", `${other}?name_prefix=${kind} of`)).body)).toEqual([]);
  });

  test("is made once for one Idempotency-Key", async () => {
    const headers = { "idempotency-key": `once ${kind}` };
    const [first, second] = await Promise.all([
      api.call("POST", path, aTarget("once"), headers),
      api.call("POST", path, aTarget("once"), headers),
    ]);
    expect(first.status).toBe(201);
    expect(second.body).toEqual(first.body);
  });

  test("is listed by what is asked for, page by page", async () => {
    const space = `listed ${kind}s`;
    await addSpace(api, space, { parent: "shop" });
    const integrationId = await addIntegration(api, `gone ${kind}`, space);
    await make(path, aTarget("a one", { space, labels: ["red"] }));
    await make(path, aTarget("a two", { space, labels: ["red", "blue"], repository: "acme/Web" }));
    await make(path, aTarget("b", { space, enabled: false, external_id: "b-1" }));
    await make(path, aTarget("c", { space, integration: `gone ${kind}` }));
    await api.store.sql`UPDATE sluice.integrations SET deleted_at = now() WHERE id = ${integrationId}`;
    const list = async (query: string) => {
      const { status, body } = await api.call("GET", `${path}?space=${space}&${query}`);
      expect(status).toBe(200);
      return namesOf(body);
    };
    expect(await list("")).toEqual(["a one", "a two", "b", "c"]);
    expect(await list("name_prefix=a ")).toEqual(["a one", "a two"]);
    expect(await list("name_prefix=A")).toEqual([]);
    expect(await list("name_prefix=%25")).toEqual([]);
    expect(await list("label=red")).toEqual(["a one", "a two"]);
    expect(await list("label=blue&name_prefix=a")).toEqual(["a two"]);
    expect(await list("repository=ACME/web")).toEqual(["a two"]);
    expect(await list("integration=account")).toEqual(["a one", "a two", "b"]);
    expect(await list("state=active")).toEqual(["a one", "a two"]);
    expect(await list("state=disabled")).toEqual(["b"]);
    expect(await list("state=detached")).toEqual(["c"]);
    expect(await list("external_id=b-1")).toEqual(["b"]);
    const paged: string[] = [];
    for (let cursor: string | null = ""; cursor !== null;) {
      const { body } = await api.call("GET", `${path}?space=${space}&limit=3${cursor}`);
      paged.push(...namesOf(body));
      const next = z.object({ next_cursor: z.string().nullable() }).parse(body).next_cursor;
      cursor = next === null ? null : `&cursor=${next}`;
    }
    expect(paged).toEqual(["a one", "a two", "b", "c"]);
    const forged = Buffer.from(JSON.stringify({ name: "\0", id: NOBODY })).toString("base64url");
    expect(await api.call("GET", `${path}?cursor=${forged}`)).toMatchObject({
      status: 400,
      body: { errors: [{ field: "cursor" }] },
    });
    expect(await api.call("GET", `${path}?state=gone`)).toMatchObject({
      status: 400,
      body: { errors: [{ field: "state" }] },
    });
  });
});

test("a detached stack is shown so, and is given another integration by PUT (rule 5)", async () => {
  const integrationId = await addIntegration(api, "leaving", "shop");
  const { id } = await make("/v1/stacks", aTarget("left behind", { space: "shop", integration: "leaving" }));
  await api.store.sql`UPDATE sluice.integrations SET deleted_at = now() WHERE id = ${integrationId}`;
  expect((await api.call("GET", `/v1/stacks/${id}`)).body).toMatchObject({
    state: "detached",
    integration: null,
    integration_id: null,
  });
  const body = aTarget("left behind", { integration: "of shop" });
  expect(await put("/v1/stacks", id, body)).toMatchObject({
    status: 200,
    body: { state: "active", integration: "of shop" },
  });
});

test("a stack of an integration that is switched off is disabled", async () => {
  const integrationId = await addIntegration(api, "switched off", "shop");
  const { id } = await make("/v1/stacks", aTarget("idle", { space: "shop", integration: "switched off" }));
  await api.store.sql`UPDATE sluice.integrations SET enabled = false WHERE id = ${integrationId}`;
  expect((await api.call("GET", `/v1/stacks/${id}`)).body).toMatchObject({
    state: "disabled",
    enabled: true,
  });
});

test("a stack has no version, so that version_from is refused", async () => {
  expect(await api.call("POST", "/v1/stacks", aTarget("versioned", { version_from: "tag" }))).toMatchObject({
    status: 400,
    body: { errors: [{ field: "version_from", message: "is not known here" }] },
  });
});

test("metadata may be as large as Postgres keeps it, to the byte", async () => {
  const sample = {
    n: [1, -2.5, 1e21, -1.5e300, 1e-7, -1.25e-300, true, null],
    clé: 'ünï "quoted" \u2028',
    nested: { a: {}, b: [] },
  };
  const measure = async (pad: number) => {
    const json = JSON.stringify({ ...sample, pad: "x".repeat(pad) });
    const [row] = await api.store.sql<
      { bytes: number }[]
    >`SELECT octet_length(${json}::jsonb::text) AS bytes`;
    return row?.bytes ?? 0;
  };
  const pad = 16_384 - (await measure(0));
  expect(await measure(pad)).toBe(16_384);
  const body = (size: number) => aTarget("large", { metadata: { ...sample, pad: "x".repeat(size) } });
  expect(await api.call("POST", "/v1/stacks", body(pad + 1))).toMatchObject({ status: 400 });
  expect(await api.call("POST", "/v1/stacks", body(pad))).toMatchObject({ status: 201 });
});
