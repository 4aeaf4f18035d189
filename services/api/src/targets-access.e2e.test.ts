import { createTestDatabase } from "@sluice/embedded/test-database";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { z } from "zod";

import { addSpace, makeKey } from "./test-access.ts";
import { createTestApi, migrateForApi, NOBODY, type TestApi } from "./test-api.ts";
import { addIntegration, aTarget, bearer, namesOf, overtake, TARGET_PATHS } from "./test-targets.ts";

let api: TestApi;

beforeAll(async () => {
  const serverUrl = inject("postgresUrl");
  api = await createTestApi(await createTestDatabase({ serverUrl, migrate: migrateForApi, key: "api" }));
  await addIntegration(api, "account", null);
  await addSpace(api, "shop");
  await addSpace(api, "shop eu", { parent: "shop" });
  await addSpace(api, "shop apart", { parent: "shop", inherits: false });
  await addSpace(api, "bank");
});

afterAll(() => api.close());

async function make(path: string, body: object) {
  const answer = await api.call("POST", path, body);
  expect(answer).toMatchObject({ status: 201 });
  return z.object({ id: z.string() }).parse(answer.body);
}

const put = (path: string, id: string, body: object, headers: Record<string, string>) =>
  api.call("PUT", `${path}/${id}`, body, headers);

describe.each(TARGET_PATHS)("a $kind", ({ kind, path }) => {
  test("outside of a key's spaces is not found, whatever is asked of it", async () => {
    const { id } = await make(path, aTarget("outside", { space: "bank" }));
    const { key } = await makeKey(api, { name: `writes ${kind}s`, role: "write", space: "shop" });
    const headers = { ...bearer(key), "if-match": "*" };
    for (const each of [id, NOBODY]) {
      for (const method of ["GET", "DELETE"]) {
        expect(await api.call(method, `${path}/${each}`, undefined, headers)).toMatchObject({ status: 404 });
      }
      expect(await put(path, each, aTarget("outside"), headers)).toMatchObject({ status: 404 });
    }
    for (const space of ["bank", "shop apart", "nowhere", "root"]) {
      expect(await api.call("POST", path, aTarget("smuggled", { space }), headers)).toMatchObject({
        status: 404,
        body: { errors: [{ field: "space", message: "is not there, or out of your reach" }] },
      });
    }
    expect(namesOf((await api.call("GET", `${path}?space=bank`, undefined, headers)).body)).toEqual([]);
    expect(namesOf((await api.call("GET", path, undefined, headers)).body)).not.toContain("outside");
    expect(await api.call("POST", path, aTarget("within", { space: "shop eu" }), headers)).toMatchObject({
      status: 201,
    });
  });

  test.each(["read", "scheduler"] as const)("is not for the role %s to change", async (role) => {
    const { id } = await make(path, aTarget(`for ${role}`));
    const { key } = await makeKey(api, { name: `${role} of ${kind}s`, role, space: "root" });
    const headers = { ...bearer(key), "if-match": "*" };
    expect((await api.call("GET", `${path}/${id}`, undefined, headers)).status).toBe(200);
    expect((await api.call("POST", path, aTarget("x"), headers)).status).toBe(403);
    expect((await api.call("POST", `${path}/bulk`, { items: [] }, headers)).status).toBe(403);
    expect((await put(path, id, aTarget(`for ${role}`), headers)).status).toBe(403);
    expect((await api.call("DELETE", `${path}/${id}`, undefined, headers)).status).toBe(403);
  });

  test("is not made by a key that was revoked, or lost the space, while the request waited", async () => {
    const space = `left by ${kind}s`;
    await addSpace(api, space, { parent: "shop" });
    const { key, id } = await makeKey(api, { name: `left by ${kind}s`, role: "write", space: "shop" });
    const send = () => api.call("POST", path, aTarget("too late", { space }), bearer(key));
    const lost = await overtake(
      api,
      send,
      (tx) => tx.sql`UPDATE sluice.spaces SET inherit_entities = false WHERE name = ${space}`,
    );
    expect(lost).toMatchObject({ status: 404, body: { errors: [{ field: "space" }] } });
    const revoked = await overtake(
      api,
      send,
      (tx) => tx.sql`UPDATE sluice.api_keys SET revoked_at = now() WHERE id = ${id}`,
    );
    expect(revoked).toMatchObject({ status: 401 });
    expect(namesOf((await api.call("GET", `${path}?name_prefix=too late`)).body)).toEqual([]);
  });
});

test("a stack made while its integration is deleted is not left with it: whichever comes second is told", async () => {
  const integrationId = await addIntegration(api, "deleted meanwhile", "shop");
  const answer = await overtake(
    api,
    () =>
      api.call("POST", "/v1/stacks", aTarget("unlucky", { space: "shop", integration: "deleted meanwhile" })),
    (tx) => tx.sql`UPDATE sluice.integrations SET deleted_at = now() WHERE id = ${integrationId}`,
  );
  expect(answer).toMatchObject({ status: 400, body: { errors: [{ field: "integration" }] } });
});
