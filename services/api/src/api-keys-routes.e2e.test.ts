import { createTestDatabase } from "@sluice/embedded/test-database";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";

import { addSpace, makeKey } from "./test-access.ts";
import { createTestApi, migrateForApi, NOBODY, startTestApi, call, type TestApi } from "./test-api.ts";

let api: TestApi;

beforeAll(async () => {
  const serverUrl = inject("postgresUrl");
  api = await createTestApi(await createTestDatabase({ serverUrl, migrate: migrateForApi, key: "api" }));
});

afterAll(() => api.close());

const apiKeyOf = (body: unknown) => body as { key: string };
const bearer = (key: string) => ({ authorization: `Bearer ${key}` });

describe("a key of the API", () => {
  test("is shown once, opens the API, and nobody can read it out of the database", async () => {
    const { key, id } = await makeKey(api, { name: "shown once", role: "read", space: "root" });
    expect(key).toMatch(/^slc_[\w-]{8}_[\w-]{43}$/);
    const again = await api.call("GET", `/v1/api-keys/${id}`);
    expect(again.body).toMatchObject({
      name: "shown once",
      role: "read",
      prefix: key.slice(0, 12),
      last_used_at: null,
    });
    expect(JSON.stringify(again.body)).not.toContain(key);
    const stored = await api.store.sql`SELECT api_keys::text FROM sluice.api_keys WHERE id = ${id}`;
    expect(JSON.stringify(stored)).not.toContain(key);
    expect((await api.call("GET", `/v1/deliveries/${NOBODY}`, undefined, bearer(key))).status).toBe(404);
    expect((await api.call("GET", `/v1/api-keys/${id}`)).body).toMatchObject({
      last_used_at: expect.any(String),
    });
  });

  test("is refused from the request on that follows its revocation", async () => {
    const { key, id } = await makeKey(api, { name: "revoked", role: "read", space: "root" });
    expect((await api.call("DELETE", `/v1/api-keys/${id}`)).body).toMatchObject({
      revoked_at: expect.any(String),
    });
    expect(await api.call("GET", `/v1/deliveries/${NOBODY}`, undefined, bearer(key))).toMatchObject({
      status: 401,
      body: { type: "urn:sluice:problem:unauthorized", detail: 'The key "revoked" was revoked.' },
    });
    expect((await api.call("DELETE", `/v1/api-keys/${id}`)).status).toBe(200);
  });

  test("that has expired is told so", async () => {
    const { key, id } = await makeKey(api, { name: "expired", role: "read", space: "root" });
    await api.store.sql`UPDATE sluice.api_keys SET expires_at = now() WHERE id = ${id}`;
    expect(await api.call("GET", `/v1/deliveries/${NOBODY}`, undefined, bearer(key))).toMatchObject({
      status: 401,
      body: { detail: 'The key "expired" has expired.' },
    });
  });

  test("has a name of its own in its space, which is free again once it is revoked", async () => {
    const { id } = await makeKey(api, { name: "twice", role: "read", space: "root" });
    const body = { name: "twice", role: "write", space: "root" };
    expect(await api.call("POST", "/v1/api-keys", body)).toMatchObject({
      status: 409,
      body: { type: "urn:sluice:problem:name_taken" },
    });
    await api.call("DELETE", `/v1/api-keys/${id}`);
    expect((await api.call("POST", "/v1/api-keys", body)).status).toBe(201);
  });

  test("is made once for one Idempotency-Key, which another request may not use", async () => {
    const body = { name: "made once", role: "scheduler", space: "root" };
    const headers = { "idempotency-key": "8c4f" };
    const [first, second] = await Promise.all([
      api.call("POST", "/v1/api-keys", body, headers),
      api.call("POST", "/v1/api-keys", body, headers),
    ]);
    expect(first).toMatchObject({ status: 201, body: { name: "made once" } });
    expect(second.body).toEqual(first.body);
    expect(await api.call("POST", "/v1/api-keys", { ...body, name: "another" }, headers)).toMatchObject({
      status: 422,
      body: { type: "urn:sluice:problem:idempotency_key_reused" },
    });
    const [row] = await api.store.sql`SELECT body_ciphertext FROM sluice.idempotency_keys WHERE key = '8c4f'`;
    expect(JSON.stringify(row)).not.toContain("slc_");
  });

  test("of an admin of a space makes keys there and below, and knows no others", async () => {
    await addSpace(api, "payments", { parent: "root" });
    await addSpace(api, "payments/eu", { parent: "payments", inherits: true });
    await addSpace(api, "payments/apart", { parent: "payments", inherits: false });
    const { key } = await makeKey(api, { name: "payments admin", role: "admin", space: "payments" });
    const make = (space: string) =>
      api.call("POST", "/v1/api-keys", { name: "by payments", role: "admin", space }, bearer(key));
    expect((await make("payments/eu")).status).toBe(201);
    for (const space of ["root", "payments/apart", "nowhere"]) {
      expect(await make(space)).toMatchObject({
        status: 404,
        body: { detail: "There is no such space, or you do not administer it." },
      });
    }
    const listed = await api.call("GET", "/v1/api-keys", undefined, bearer(key));
    expect(listed.body).toMatchObject({
      items: [{ space: "payments/eu" }, { space: "payments" }],
      next_cursor: null,
    });
  });

  test("that has an end makes none that lives longer", async () => {
    const body = { role: "admin", space: "root" };
    const ends = { ...body, name: "ends", expires_at: "2199-01-01T00:00:00Z" };
    const { key } = apiKeyOf((await api.call("POST", "/v1/api-keys", ends)).body);
    const make = (name: string, more: object) =>
      api.call("POST", "/v1/api-keys", { ...body, name, ...more }, bearer(key));
    for (const more of [{}, { expires_at: "2199-01-01T00:00:01Z" }]) {
      expect(await make("longer", more)).toMatchObject({
        status: 400,
        body: { errors: [{ field: "expires_at" }] },
      });
    }
    expect((await make("as long", { expires_at: "2199-01-01T00:00:00Z" })).status).toBe(201);
  });

  test.each(["read", "write", "scheduler"] as const)("of the role %s makes none", async (role) => {
    const { key } = await makeKey(api, { name: `no admin, ${role}`, role, space: "root" });
    const body = { name: "more", role: "read", space: "root" };
    expect(await api.call("POST", "/v1/api-keys", body, bearer(key))).toMatchObject({
      status: 403,
      body: { type: "urn:sluice:problem:forbidden" },
    });
  });

  test("is listed page by page, each once", async () => {
    const { body: whole } = await api.call("GET", "/v1/api-keys?limit=200");
    const names = (body: unknown) => (body as { items: { id: string }[] }).items.map(({ id }) => id);
    const paged: string[] = [];
    let cursor: string | null = "";
    while (cursor !== null) {
      const { body } = await api.call(
        "GET",
        `/v1/api-keys?limit=2${cursor === "" ? "" : `&cursor=${cursor}`}`,
      );
      paged.push(...names(body));
      cursor = (body as { next_cursor: string | null }).next_cursor;
    }
    expect(paged).toEqual(names(whole));
  });

  test("leaves a row in the audit log for its making and its revocation", async () => {
    const { id, key } = await makeKey(api, { name: "audited", role: "read", space: "root" });
    await api.call("DELETE", `/v1/api-keys/${id}`);
    const { body } = await api.call("GET", `/v1/audit-log?subject_id=${id}`);
    expect(body).toMatchObject({
      items: [{ action: "api_key.revoked" }, { action: "api_key.created", actor: { kind: "bootstrap_key" } }],
    });
    expect(JSON.stringify(body)).not.toContain(key);
  });
});

describe("the first key", () => {
  test("is made when there is none, by one of two processes that start at once, and shown once", async () => {
    const database = await createTestDatabase({
      serverUrl: inject("postgresUrl"),
      migrate: migrateForApi,
      key: "api",
    });
    const shown: string[] = [];
    const urls = { databaseUrl: database.url, queueUrl: database.url };
    const start = () =>
      startTestApi(urls, {
        configuration: { bootstrapKey: null },
        showFirstKey: (text) => void shown.push(text),
      });
    const apis = await Promise.all([start(), start()]);
    await expect.poll(() => shown.length).toBe(1);
    const [key = ""] = /slc_\S+/.exec(shown[0] ?? "") ?? [];
    for (const { url } of apis) {
      expect((await call(`${url}/v1/api-keys`, { headers: bearer(key) })).body).toMatchObject({
        items: [{ name: "first key", role: "admin", space: "root" }],
      });
    }
    await Promise.all(apis.map((each) => each.close(1_000)));
    const later = await start();
    await later.close(1_000);
    expect(shown).toHaveLength(1);
    await database.drop();
  });
});

describe("guessing keys", () => {
  test("an address that sends too many wrong ones is refused for a while, also with a right one", async () => {
    const limited = await startTestApi(
      { databaseUrl: api.databaseUrl, queueUrl: api.databaseUrl },
      { configuration: { wrongKeysPerMinute: 3 } },
    );
    const ask = (headers?: Record<string, string>) =>
      call(`${limited.url}/v1/api-keys`, headers === undefined ? {} : { headers });
    expect((await ask()).status).toBe(200);
    for (let n = 0; n < 3; n += 1) expect((await ask(bearer(`wrong-${String(n)}`))).status).toBe(401);
    const refused = await ask();
    expect(refused).toMatchObject({ status: 429, body: { type: "urn:sluice:problem:too_many_requests" } });
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
    await limited.close(1_000);
  });

  test("one key may not send more requests than it is allowed", async () => {
    const limited = await startTestApi(
      { databaseUrl: api.databaseUrl, queueUrl: api.databaseUrl },
      { configuration: { requestsPerSecond: 1 } },
    );
    const statuses = await Promise.all(
      Array.from({ length: 12 }, async () => (await call(`${limited.url}/v1/api-keys`)).status),
    );
    expect(statuses.filter((status) => status === 200)).toHaveLength(10);
    expect(statuses.filter((status) => status === 429)).toHaveLength(2);
    await limited.close(1_000);
  });
});
