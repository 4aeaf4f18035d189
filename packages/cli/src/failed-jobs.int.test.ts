import { randomUUID } from "node:crypto";
import { AppError } from "@sluice/domain/app-error";
import { createTestDatabase, type TestDatabase } from "@sluice/embedded/test-database";
import { migrateQueueBackend, openQueueBackend, type QueueBackend } from "@sluice/queue/backend";
import { createConsumer } from "@sluice/queue/consumer";
import { createProducer } from "@sluice/queue/producer";
import { parseQueueUrl } from "@sluice/queue/queue-url";
import { eventsQueue } from "@sluice/queue/queues";
import { createLogger } from "@sluice/runtime/logger";
import { migrateStore } from "@sluice/store/migrate";
import { afterAll, beforeAll, expect, inject, test } from "vitest";

import { runCli } from "./cli.ts";

let database: TestDatabase;
let backend: QueueBackend;

beforeAll(async () => {
  const serverUrl = inject("postgresUrl");
  database = await createTestDatabase({ serverUrl, key: "store", migrate: migrateStore });
  await migrateQueueBackend(parseQueueUrl(database.url));
  backend = openQueueBackend(parseQueueUrl(database.url));
});

afterAll(async () => {
  await backend.close();
  await database.drop();
});

async function queue(...args: string[]) {
  const said = { out: "", err: "" };
  const code = await runCli(["queue", ...args], {
    environment: { DATABASE_URL: database.url },
    print: (text) => void (said.out += text),
    report: (text) => void (said.err += text),
    isInteractive: false,
    confirm: () => Promise.resolve(false),
    readLines: async function* readLines() {
      yield* [];
    },
    workingDirectory: "/",
  });
  return { code, ...said };
}

/** Adds events, and takes jobs until all of them have failed for good. */
async function failEvents(eventIds: readonly string[]): Promise<void> {
  const producer = createProducer(backend, eventsQueue);
  for (const eventId of eventIds) await producer.add({ v: 1, eventId }, { jobId: eventId });
  await producer.close();
  let failed = 0;
  const consumer = createConsumer(
    backend,
    eventsQueue,
    () => Promise.reject(new AppError("payload_invalid", "this event cannot be read", { retry: "never" })),
    {
      concurrency: 1,
      logger: createLogger({ service: "test", level: "silent", format: "json" }),
      onOutcome: ({ kind }) => {
        if (kind === "fail") failed += 1;
      },
    },
  );
  await expect.poll(() => failed, { timeout: 20_000 }).toBe(eventIds.length);
  await consumer.close(5_000);
}

test("failed jobs are listed with their reason, and those that are named, or all, are put back", async () => {
  expect(await queue("failed")).toEqual({ code: 0, out: "No job has failed.\n", err: "" });
  const [one, two, three] = [randomUUID(), randomUUID(), randomUUID()];
  await failEvents([one, two, three]);

  const listed = await queue("failed", "events");
  expect(listed.out.trimEnd().split("\n")).toHaveLength(3);
  expect(listed.out).toMatch(
    new RegExp(`^events ${one} {2}\\S+Z {2}after 1 attempt: .*this event cannot be read$`, "m"),
  );
  const limited = await queue("failed", "--limit", "2", "--json");
  expect(JSON.parse(limited.out)).toMatchObject([{ queue: "events" }, { queue: "events" }]);

  const unknown = randomUUID();
  expect(await queue("retry", "events", one, unknown)).toEqual({
    code: 1,
    out: "1 put back into events.\n",
    err: "1 are not among the failed jobs (any more).\n",
  });
  expect(await queue("retry", "events", "--all", "--json")).toMatchObject({
    code: 0,
    out: '{"queue":"events","retried":2}\n',
  });
  expect((await queue("failed")).out).toBe("No job has failed.\n");
}, 60_000);
