import { createTestDatabase } from "@sluice/embedded/test-database";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";

import { addSpace, makeKey } from "./test-access.ts";
import { call, createTestApi, migrateForApi, startTestApi, type TestApi } from "./test-api.ts";
import { bearer, overtake, statusesOf } from "./test-targets.ts";

let api: TestApi;

beforeAll(async () => {
  const serverUrl = inject("postgresUrl");
  api = await createTestApi(await createTestDatabase({ serverUrl, migrate: migrateForApi, key: "api" }));
});

afterAll(() => api.close());

describe("a key of the API", () => {
  test("is not made in a space that is deleted, or out of reach, by the time that it is its turn", async () => {
    const spaceId = await addSpace(api, "going");
    const deleted = await overtake(
      api,
      () => api.call("POST", "/v1/api-keys", { name: "late", role: "admin", space: "going" }),
      (tx) => tx.sql`DELETE FROM sluice.spaces WHERE id = ${spaceId}`,
    );
    expect(deleted).toMatchObject({ status: 404 });

    await addSpace(api, "upper");
    const lowerId = await addSpace(api, "lower", { parent: "upper" });
    const { key } = await makeKey(api, { name: "admin of upper", role: "admin", space: "upper" });
    const lost = await overtake(
      api,
      () => api.call("POST", "/v1/api-keys", { name: "late", role: "admin", space: "lower" }, bearer(key)),
      (tx) => tx.sql`UPDATE sluice.spaces SET inherit_entities = false WHERE id = ${lowerId}`,
    );
    expect(lost).toMatchObject({ status: 404 });
  });

  test("that is revoked by one that it revokes at the same time: one of them is done, and neither fails", async () => {
    for (let round = 0; round < 5; round += 1) {
      const name = (which: string) => `${which} ${String(round)}`;
      const one = await makeKey(api, { name: name("one"), role: "admin", space: "root" });
      const other = await makeKey(api, { name: name("other"), role: "admin", space: "root" });
      const revoke = (id: string, by: string) =>
        api.call("DELETE", `/v1/api-keys/${id}`, undefined, bearer(by));
      const answers = await Promise.all([revoke(one.id, other.key), revoke(other.id, one.key)]);
      expect(statusesOf(answers)).toEqual([200, 401]);
      const own = await makeKey(api, { name: name("own"), role: "admin", space: "root" });
      const twice = await Promise.all([revoke(own.id, own.key), revoke(own.id, own.key)]);
      expect(statusesOf(twice)).toEqual([200, 401]);
    }
  });

  test("has a name of one line: the audit log names by it who did something", async () => {
    for (const name of ["a\nbootstrap key", "a\u0007", ""]) {
      expect(await api.call("POST", "/v1/api-keys", { name, role: "read", space: "root" })).toMatchObject({
        status: 400,
        body: { errors: [{ field: "name" }] },
      });
    }
  });

  test("that was revoked may be sent no more often than others", async () => {
    const { id, key } = await makeKey(api, { name: "revoked", role: "read", space: "root" });
    await api.call("DELETE", `/v1/api-keys/${id}`);
    const limited = await startTestApi(
      { databaseUrl: api.databaseUrl, queueUrl: api.databaseUrl },
      { configuration: { requestsPerSecond: 1 } },
    );
    const statuses = [];
    for (let n = 0; n < 12; n += 1) {
      statuses.push((await call(`${limited.url}/v1/spaces`, { headers: bearer(key) })).status);
    }
    await limited.close(1_000);
    expect(statuses.filter((status) => status === 401)).toHaveLength(10);
    expect(statuses.filter((status) => status === 429)).toHaveLength(2);
  });
});
