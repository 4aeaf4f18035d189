import { createTestDatabase } from "@sluice/embedded/test-database";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { z } from "zod";

import { addSpace, makeKey } from "./test-access.ts";
import { createTestApi, migrateForApi, type TestApi } from "./test-api.ts";
import { addIntegration, aTarget, bearer } from "./test-targets.ts";

let api: TestApi;
let integrationId: string;

beforeAll(async () => {
  const serverUrl = inject("postgresUrl");
  api = await createTestApi(await createTestDatabase({ serverUrl, migrate: migrateForApi, key: "api" }));
  integrationId = await addIntegration(api, "account", null);
});

afterAll(() => api.close());

const idSchema = z.object({ id: z.string() });

async function countRows(table: string, subjectId?: string): Promise<number> {
  const [row] = await api.store.sql<{ count: number }[]>`
    SELECT count(*)::int AS count FROM ${api.store.sql(`sluice.${table}`)}
    WHERE ${subjectId === undefined ? api.store.sql`true` : api.store.sql`subject_id = ${subjectId}`}`;
  return row!.count;
}

describe("an Idempotency-Key", () => {
  test("is its sender's own: the same one of another API key is another", async () => {
    const make = (name: string, key: string) =>
      api.call("POST", "/v1/spaces", { name }, { ...bearer(key), "idempotency-key": "shared" });
    const one = await makeKey(api, { name: "one", role: "admin", space: "root" });
    const other = await makeKey(api, { name: "other", role: "admin", space: "root" });
    expect(await make("of one", one.key)).toMatchObject({ status: 201, body: { name: "of one" } });
    expect(await make("of other", other.key)).toMatchObject({ status: 201, body: { name: "of other" } });
  });

  test("names one request: with another method, path, body or version it is refused, and nothing is done", async () => {
    const headers = { "idempotency-key": "one request", "if-match": "*" };
    const { id } = idSchema.parse((await api.call("POST", "/v1/stacks", aTarget("versioned"))).body);
    const body = { repository: "acme/infrastructure", tracked_branch: "next" };
    expect(await api.call("PUT", `/v1/stacks/${id}`, body, headers)).toMatchObject({ status: 200 });
    const etag = (await api.call("GET", `/v1/stacks/${id}`)).headers.get("etag") ?? "";
    for (const request of [
      api.call("DELETE", `/v1/stacks/${id}`, undefined, headers),
      api.call("POST", "/v1/modules", { ...body, name: "m" }, headers),
      api.call("PUT", `/v1/stacks/${id}`, { ...body, tracked_branch: "other" }, headers),
      api.call("PUT", `/v1/stacks/${id}`, body, { ...headers, "if-match": etag }),
    ]) {
      expect(await request).toMatchObject({
        status: 422,
        body: { type: "urn:sluice:problem:idempotency_key_reused" },
      });
    }
    expect(await api.call("GET", `/v1/stacks/${id}`)).toMatchObject({ body: { tracked_branch: "next" } });
  });

  test("makes a PUT and a DELETE once, too, with one audit row each", async () => {
    const { id } = idSchema.parse((await api.call("POST", "/v1/stacks", aTarget("once"))).body);
    const body = { repository: "acme/infrastructure", tracked_branch: "next" };
    const put = () =>
      api.call("PUT", `/v1/stacks/${id}`, body, { "idempotency-key": "put", "if-match": "*" });
    const first = await put();
    expect(first).toMatchObject({ status: 200 });
    expect(await put()).toMatchObject({ status: 200, body: first.body });
    const remove = () => api.call("DELETE", `/v1/stacks/${id}`, undefined, { "idempotency-key": "delete" });
    const removed = await remove();
    expect(removed).toMatchObject({ status: 200 });
    expect(await remove()).toMatchObject({ status: 200, body: removed.body });
    expect(await countRows("audit_log", id)).toBe(3);
  });

  test("keeps no answer to a look: a GET or a HEAD is answered anew, and each is noted", async () => {
    const before = await countRows("idempotency_keys");
    const path = `/v1/integrations/${integrationId}/webhook`;
    for (const method of ["GET", "GET", "HEAD", "HEAD"]) {
      expect(await api.call(method, path, undefined, { "idempotency-key": "look" })).toMatchObject({
        status: 200,
      });
    }
    expect(await countRows("idempotency_keys")).toBe(before);
    expect(await countRows("audit_log", integrationId)).toBe(4);
  });

  test("keeps no refusal: the same request is done once it can be", async () => {
    const make = () =>
      api.call("POST", "/v1/spaces", { name: "child", parent: "later" }, { "idempotency-key": "retried" });
    expect(await make()).toMatchObject({ status: 404 });
    await addSpace(api, "later");
    expect(await make()).toMatchObject({ status: 201 });
    expect(await make()).toMatchObject({ status: 201 });
  });

  test("is no way around a key that was revoked or may less by now", async () => {
    const { id, key } = await makeKey(api, { name: "leaving", role: "admin", space: "root" });
    const make = () =>
      api.call(
        "POST",
        "/v1/api-keys",
        { name: "left behind", role: "read", space: "root" },
        {
          ...bearer(key),
          "idempotency-key": "made",
        },
      );
    expect(await make()).toMatchObject({ status: 201 });
    await api.store.sql`UPDATE sluice.api_keys SET role = 'write' WHERE id = ${id}`;
    expect(await make()).toMatchObject({ status: 403 });
    await api.call("DELETE", `/v1/api-keys/${id}`);
    expect(await make()).toMatchObject({ status: 401 });
  });

  test("gives a large answer again as it was", async () => {
    const items = Array.from({ length: 3_000 }, (_, n) => aTarget(`large ${String(n)}`));
    const make = () => api.call("POST", "/v1/stacks/bulk", { items }, { "idempotency-key": "large" });
    const first = await make();
    expect(first).toMatchObject({ status: 200, body: { counts: { created: 3_000 } } });
    expect((await make()).body).toEqual(first.body);
  });

  test.each(["", "x".repeat(256)])("that is no text of 1 to 255 characters is refused (%#)", async (key) => {
    for (const [method, path, body] of [
      ["POST", "/v1/spaces", { name: "refused" }],
      [
        "PUT",
        `/v1/integrations/${integrationId}/credential`,
        { credential: { kind: "access_token", token: "t" } },
      ],
      ["DELETE", `/v1/integrations/${integrationId}`, undefined],
    ] as const) {
      expect(await api.call(method, path, body, { "idempotency-key": key })).toMatchObject({
        status: 400,
        body: { errors: [{ field: "idempotency-key" }] },
      });
    }
  });
});
