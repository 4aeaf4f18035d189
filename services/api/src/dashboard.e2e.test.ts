import { createTestDatabase } from "@sluice/embedded/test-database";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";

import {
  AS_BROWSER,
  call,
  createTestApi,
  migrateForApi,
  startTestApi,
  TEST_KEY,
  type TestApi,
} from "./test-api.ts";

let api: TestApi;

beforeAll(async () => {
  const serverUrl = inject("postgresUrl");
  api = await createTestApi(await createTestDatabase({ serverUrl, migrate: migrateForApi, key: "api" }));
});

afterAll(() => api.close());

describe("the queues' dashboard", () => {
  test("asks a browser for the key, and takes no other", async () => {
    for (const authorization of ["", `Basic ${btoa("anyone:wrong")}`, `Bearer ${TEST_KEY}`]) {
      const answer = await api.call("GET", "/queues", undefined, { authorization });
      expect(answer.status).toBe(401);
      expect(answer.headers.get("www-authenticate")).toContain("Basic");
    }
  });

  test("shows a page whose scripts are its own, and the queues", async () => {
    const page = await api.call("GET", "/queues", undefined, AS_BROWSER);
    expect(page.status).toBe(200);
    expect(page.headers.get("content-security-policy")).toContain("default-src 'self'");
    const [, script] = /src="(static\/js\/[^"]+)"/.exec(String(page.body)) ?? [];
    expect((await api.call("GET", `/queues/${script ?? ""}`, undefined, AS_BROWSER)).status).toBe(200);
    const queues = await api.call("GET", "/queues/api/queues", undefined, AS_BROWSER);
    expect(queues.body).toMatchObject({ queues: [{ name: "deliveries" }, { name: "events" }] });
  });

  test("retries jobs and does nothing that loses one, for nobody but itself", async () => {
    const sameSite = { ...AS_BROWSER, "sec-fetch-site": "same-origin" };
    const retry = "/queues/api/queues/deliveries/retry/failed";
    expect((await api.call("PUT", retry, undefined, sameSite)).status).toBe(200);
    expect(
      (await api.call("PUT", retry, undefined, { ...AS_BROWSER, "sec-fetch-site": "cross-site" })).status,
    ).toBe(403);
    for (const path of ["clean/failed", "empty", "obliterate", "pause"]) {
      const answer = await api.call("PUT", `/queues/api/queues/deliveries/${path}`, undefined, sameSite);
      expect(answer.status).toBe(403);
    }
  });

  const redisUrl = inject("redisUrl");
  test.skipIf(redisUrl === null)("shows the queues of Redis as it does those of Postgres", async () => {
    const onRedis = await startTestApi({ databaseUrl: api.databaseUrl, queueUrl: redisUrl ?? "" });
    try {
      const queues = await call(`${onRedis.url}/queues/api/queues`, { headers: AS_BROWSER });
      expect(queues.body).toMatchObject({ queues: [{ name: "deliveries" }, { name: "events" }] });
    } finally {
      await onRedis.close(1_000);
    }
  });
});
