/** What metrics tell of the queues: one suite, run over both backends. */
import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { AppError } from "@sluice/domain/app-error";
import { injectTestServers } from "@sluice/embedded/test-context";
import type { JobsOptions, Queue } from "bullmq";
import { beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import { migrateQueueBackend, openQueueBackend, type QueueBackend } from "./backend.ts";
import { createConsumer, type JobHandler } from "./consumer.ts";
import { createQueueReader } from "./queue-reader.ts";
import { parseQueueUrl } from "./queue-url.ts";
import { eventsQueue, type EventPayload, type QueueDefinition } from "./queues.ts";
import { dropTestQueues, newNamespace } from "./test-queue.ts";

const { postgresUrl, redisUrl } = injectTestServers();
const backends = [
  { kind: "postgres", url: postgresUrl },
  { kind: "redis", url: redisUrl ?? "" },
] as const;

const HOUR_MS = 3_600_000;
const WAIT = { timeout: 15_000, interval: 20 };

describe.each(backends)("on $kind", ({ kind, url }) => {
  const isSkipped = kind === "redis" && redisUrl === null;
  const namespace = newNamespace();
  let backend: QueueBackend;
  let queues = 0;

  beforeAll(async () => {
    if (isSkipped) return;
    await migrateQueueBackend(parseQueueUrl(url), { namespace });
    backend = openQueueBackend(parseQueueUrl(url), { namespace });
    return async () => {
      await backend.close();
      await dropTestQueues(url, namespace);
    };
  });

  function aQueue(): QueueDefinition<EventPayload> {
    return { ...eventsQueue, name: `events_${++queues}` };
  }

  async function open({ name }: QueueDefinition<unknown>): Promise<Queue> {
    const { queue, close } = await backend.openQueue(name);
    onTestFinished(close);
    return queue;
  }

  function reader(...definitions: [QueueDefinition<unknown>, ...QueueDefinition<unknown>[]]) {
    const created = createQueueReader(backend, definitions);
    onTestFinished(() => created.close());
    return created;
  }

  async function oldestHours(definition: QueueDefinition<unknown>): Promise<number | null> {
    const [reading] = await reader(definition).read();
    return reading!.oldestJobAgeMs === null ? null : Math.floor(reading!.oldestJobAgeMs / HOUR_MS);
  }

  function consume(definition: QueueDefinition<EventPayload>, handler: JobHandler<EventPayload>) {
    const consumer = createConsumer(backend, definition, handler, { concurrency: 1 });
    onTestFinished(() => consumer.close(1_000));
  }

  describe.skipIf(isSkipped)("a reading", () => {
    test("is of each queue in turn, also of an empty one", async () => {
      const [full, empty] = [aQueue(), aQueue()];
      const queue = await open(full);
      await queue.add("events", anEvent(), addedHoursAgo(2));
      await queue.add("events", anEvent(), { delay: HOUR_MS });
      const depth = { waiting: 0, active: 0, delayed: 0, failed: 0 };
      expect(await reader(empty, full).read()).toEqual([
        { queue: empty.name, depth, oldestJobAgeMs: null },
        { queue: full.name, depth: { ...depth, waiting: 1, delayed: 1 }, oldestJobAgeMs: anAge(2) },
      ]);
    });

    test.each<[string, JobsOptions]>([
      ["waits for its turn", {}],
      ["waits by priority", { priority: 3 }],
      ["was postponed, and is due long after the others", { delay: 9 * HOUR_MS }],
    ])("counts a job that %s by when it was added", async (_, options) => {
      const definition = aQueue();
      const queue = await open(definition);
      await queue.add("events", anEvent(), addedHoursAgo(1));
      await queue.add("events", anEvent(), { ...addedHoursAgo(5), ...options });
      await queue.add("events", anEvent(), { ...addedHoursAgo(2), delay: 3 * HOUR_MS });
      expect(await oldestHours(definition)).toBe(5);
    });

    test("counts a job while it is tried, and after it was postponed, and no longer once it failed", async () => {
      const definition = aQueue();
      await (await open(definition)).add("events", anEvent(), { ...addedHoursAgo(4), attempts: 1 });
      const fates: ((error: AppError) => void)[] = [];
      consume(definition, () => new Promise((_, reject) => void fates.push(reject)));
      const states = async () => (await reader(definition).read())[0]!;
      await vi.waitFor(() => expect(fates).toHaveLength(1), WAIT);
      expect(await states()).toMatchObject({ depth: { active: 1 }, oldestJobAgeMs: anAge(4) });
      // Long enough to be read while it waits, on a slow machine too.
      fates[0]!(new AppError("rate_limited", "wait", { retry: { afterMs: 4_000 } }));
      await vi.waitFor(async () => expect(await states()).toMatchObject({ depth: { delayed: 1 } }), WAIT);
      expect(await oldestHours(definition)).toBe(4);
      await vi.waitFor(() => expect(fates).toHaveLength(2), WAIT);
      fates[1]!(new AppError("payload_invalid", "not a push", { retry: "never" }));
      await vi.waitFor(
        async () => expect(await states()).toMatchObject({ depth: { failed: 1 }, oldestJobAgeMs: null }),
        WAIT,
      );
    });

    test.each<[string, "first" | "last", JobsOptions]>([
      ["next in turn", "first", {}],
      ["last in the line", "last", {}],
      ["due first", "first", { delay: HOUR_MS }],
      ["due last", "last", { delay: HOUR_MS }],
    ])("of a backlog of thousands finds the oldest job that is %s", async (_, end, options) => {
      const definition = aQueue();
      const queue = await open(definition);
      const old = { ...addedHoursAgo(7), ...options };
      // What is due depends on when a job was added.
      if (options.delay !== undefined) old.delay = 7 * HOUR_MS + (end === "first" ? 1 : 2) * options.delay;
      const others = { ...options, ...(options.delay === undefined ? {} : { delay: 1.5 * options.delay }) };
      if (end === "first") await queue.add("events", anEvent(), old);
      await queue.addBulk(
        Array.from({ length: 2_100 }, () => ({ name: "events", data: anEvent(), opts: others })),
      );
      if (end === "last") await queue.add("events", anEvent(), old);
      expect(await oldestHours(definition)).toBe(7);
    });

    test("is of its own namespace", async () => {
      const other = newNamespace();
      await migrateQueueBackend(parseQueueUrl(url), { namespace: other });
      const neighbour = openQueueBackend(parseQueueUrl(url), { namespace: other });
      onTestFinished(async () => {
        await neighbour.close();
        await dropTestQueues(url, other);
      });
      const [first, second] = [aQueue(), aQueue()];
      await (await open(second)).add("events", anEvent(), {});
      const apart = createQueueReader(neighbour, [first, second]);
      onTestFinished(() => apart.close());
      expect((await apart.read())[1]).toMatchObject({ depth: { waiting: 0 }, oldestJobAgeMs: null });
    });

    test("of servers that accept connections and answer nothing is refused, each time", async () => {
      const silent = openQueueBackend(parseQueueUrl(await startSilentServer(url)), { namespace });
      const unanswered = createQueueReader(silent);
      onTestFinished(async () => {
        await unanswered.close();
        await silent.close();
      });
      for (let attempt = 0; attempt < 2; attempt += 1) {
        await expect(unanswered.read()).rejects.toMatchObject({ code: "queue_unavailable" });
      }
    });
  });
});

function anEvent(): EventPayload {
  return { v: 1, eventId: crypto.randomUUID() };
}

function addedHoursAgo(hours: number): JobsOptions {
  return { timestamp: Date.now() - hours * HOUR_MS };
}

/** Of a job that was added so many hours ago, within a test. */
function anAge(hours: number): unknown {
  return expect.toSatisfy((age: unknown) => typeof age === "number" && Math.floor(age / HOUR_MS) === hours);
}

/** @returns `url` with the place of a server that never answers. */
async function startSilentServer(url: string): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined).resume();
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, "close");
  });
  const silent = new URL(url);
  // A server that listens on TCP has an address with a port.
  silent.host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return silent.href;
}
