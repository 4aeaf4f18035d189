import { createTestDatabase } from "@sluice/embedded/test-database";
import { afterAll, beforeAll, expect, inject, test } from "vitest";

import {
  AS_BROWSER,
  call,
  createTestApi,
  migrateForApi,
  NOBODY,
  startTestApi,
  type TestApi,
} from "./test-api.ts";

/** Nothing listens there. */
const NOWHERE = "127.0.0.1:1";

let api: TestApi;

beforeAll(async () => {
  const serverUrl = inject("postgresUrl");
  api = await createTestApi(await createTestDatabase({ serverUrl, migrate: migrateForApi, key: "api" }));
});

afterAll(() => api.close());

test("without Postgres the answer is a 503 that says when to ask again", async () => {
  const lonely = await startTestApi({
    databaseUrl: `postgres://nobody:secret@${NOWHERE}/none`,
    queueUrl: api.databaseUrl,
  });
  try {
    const answer = await call(`${lonely.url}/v1/triggers/${NOBODY}`);
    expect(answer).toMatchObject({ status: 503, body: { type: "urn:sluice:problem:unavailable" } });
    expect(answer.headers.get("retry-after")).toBe("2");
    expect(JSON.stringify(answer.body)).not.toContain("secret");
    expect((await call(`${lonely.url}/readyz`)).status).toBe(503);
    expect((await call(`${lonely.url}/healthz`)).status).toBe(200);
  } finally {
    await lonely.close(1_000);
  }
});

test("without the queue its dashboard is a 503, and all else works", async () => {
  const lonely = await startTestApi({ databaseUrl: api.databaseUrl, queueUrl: `redis://${NOWHERE}` });
  try {
    expect(await call(`${lonely.url}/queues`, { headers: AS_BROWSER })).toMatchObject({
      status: 503,
      body: { type: "urn:sluice:problem:unavailable" },
    });
    expect((await call(`${lonely.url}/readyz`)).status).toBe(200);
    expect((await call(`${lonely.url}/v1/triggers/${NOBODY}`)).status).toBe(404);
  } finally {
    await lonely.close(1_000);
  }
});
