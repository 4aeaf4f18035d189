import { createTestDatabase } from "@sluice/embedded/test-database";
import { openQueueBackend } from "@sluice/queue/backend";
import { createProducer } from "@sluice/queue/producer";
import { parseQueueUrl } from "@sluice/queue/queue-url";
import { eventsQueue } from "@sluice/queue/queues";
import { afterAll, beforeAll, expect, inject, test } from "vitest";

import { call, createTestApi, migrateForApi, NOBODY, startTestApi, type TestApi } from "./test-api.ts";

let api: TestApi;

beforeAll(async () => {
  const serverUrl = inject("postgresUrl");
  api = await createTestApi(await createTestDatabase({ serverUrl, migrate: migrateForApi, key: "api" }));
});

afterAll(() => api.close());

const redisUrl = inject("redisUrl");

test.each([
  { name: "Postgres", url: "the test's own database" },
  ...(redisUrl === null ? [] : [{ name: "Redis", url: redisUrl }]),
])("the api tells what the queues on $name hold, and since when", async ({ name, url }) => {
  const queueUrl = name === "Postgres" ? api.databaseUrl : url;
  const queueNamespace = name === "Postgres" ? "sluice" : `test_${crypto.randomUUID().slice(0, 8)}`;
  const backend = openQueueBackend(parseQueueUrl(queueUrl), { namespace: queueNamespace });
  const producer = createProducer(backend, eventsQueue);
  const own = await startTestApi({ databaseUrl: api.databaseUrl, queueUrl, queueNamespace });
  try {
    await producer.add({ v: 1, eventId: NOBODY });
    const { body } = await call(`${own.url}/metrics`);
    expect(body).toMatch(/^sluice_queue_depth\{queue="events",state="waiting",service="api"\} 1$/m);
    expect(body).toMatch(/^sluice_queue_depth\{queue="deliveries",state="delayed",service="api"\} 0$/m);
    expect(body).toMatch(/^sluice_queue_oldest_job_age_seconds\{queue="events",service="api"\} \d+\.?\d*$/m);
    expect(body).toMatch(/^sluice_queue_oldest_job_age_seconds\{queue="deliveries",service="api"\} 0$/m);
  } finally {
    await own.close(1_000);
    await producer.close();
    await backend.close();
  }
});
