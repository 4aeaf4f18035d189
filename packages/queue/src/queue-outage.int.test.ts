/** What producers and consumers do while their server is away: one suite, run over each kind of server. */
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AppError } from "@sluice/domain/app-error";
import { startEmbeddedPostgres } from "@sluice/embedded/postgres";
import { findRedisServer, startRedis } from "@sluice/embedded/redis";
import { injectTestServers } from "@sluice/embedded/test-context";
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import { createQueueAdministration } from "./administration.ts";
import { migrateQueueBackend, openQueueBackend, type QueueBackend } from "./backend.ts";
import { createConsumer, type JobHandler } from "./consumer.ts";
import { endsWithin } from "./deadline.ts";
import { createProducer } from "./producer.ts";
import { parseQueueUrl } from "./queue-url.ts";
import { eventsQueue, type EventPayload, type QueueDefinition } from "./queues.ts";
import { anEvent, refusal, startTestProcess } from "./test-queue.ts";

/** A server that the tests may stop. */
interface Server {
  readonly url: string;
  readonly pid: number;
  readonly port: number;
  stop(): Promise<void>;
}

const { redisUrl } = injectTestServers();
const redis = redisUrl === null ? null : await findRedisServer();

const servers = [
  {
    kind: "postgres",
    start: (directory: string, port?: number): Promise<Server> =>
      startEmbeddedPostgres({ dataDirectory: directory, ...(port === undefined ? {} : { port }) }),
  },
  {
    kind: "redis",
    start: (directory: string, port?: number): Promise<Server> =>
      startRedis({ directory, binary: redis ?? "", ...(port === undefined ? {} : { port }) }),
  },
] as const;

const NAMESPACE = "outage";
const WAIT = { timeout: 30_000, interval: 50 };

describe.each(servers)("with its own $kind", { timeout: 90_000 }, ({ kind, start }) => {
  const isSkipped = kind === "redis" && redis === null;
  let directory: string;
  let server: Server;
  let backend: QueueBackend;
  let queues = 0;

  beforeAll(async () => {
    if (isSkipped) return;
    directory = mkdtempSync(join(tmpdir(), "sluice-outage-"));
    server = await start(directory);
    await migrateQueueBackend(parseQueueUrl(server.url), { namespace: NAMESPACE });
    backend = openQueueBackend(parseQueueUrl(server.url), { namespace: NAMESPACE });
  });

  afterAll(async () => {
    if (isSkipped) return;
    resume();
    await backend.close();
    await server.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  /** Stops every process of the server where it stands: it accepts connections and answers nothing. */
  function freeze(): void {
    // First the one that makes others: after it the list is complete.
    process.kill(server.pid, "SIGSTOP");
    for (const pid of processes()) signal(pid, "SIGSTOP");
  }

  function resume(): void {
    for (const pid of processes()) signal(pid, "SIGCONT");
  }

  /** One that has ended since it was listed needs none. */
  function signal(pid: number, name: NodeJS.Signals): void {
    try {
      process.kill(pid, name);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
  }

  function processes(): number[] {
    const table = execFileSync("ps", ["-A", "-o", "pid=,ppid="], { encoding: "utf8" });
    const rows = table
      .trim()
      .split("\n")
      .map((line) => line.trim().split(/\s+/).map(Number));
    return rows.filter((row) => row.includes(server.pid)).map(([pid]) => pid!);
  }

  /** All of it: a process that Postgres had made for a connection may outlive the first one, and take one more job. */
  async function kill(): Promise<void> {
    freeze();
    for (const pid of processes()) signal(pid, "SIGKILL");
    await server.stop();
  }

  async function restart(): Promise<void> {
    server = await start(directory, server.port);
  }

  function aQueue(): QueueDefinition<EventPayload> {
    return {
      ...eventsQueue,
      name: `events_${++queues}`,
      retry: { attempts: 9, firstDelayMs: 50, maxDelayMs: 50 },
    };
  }

  function produce(queue: QueueDefinition<EventPayload>) {
    const producer = createProducer(backend, queue);
    onTestFinished(() => producer.close());
    return producer;
  }

  function consume(queue: QueueDefinition<EventPayload>, handler: JobHandler<EventPayload>) {
    const consumer = createConsumer(backend, queue, handler, { concurrency: 1 });
    onTestFinished(() => consumer.close(1_000));
    return consumer;
  }

  describe.skipIf(isSkipped)("the backend", () => {
    test("that hangs refuses jobs and checks in bounded time, and takes them again when it goes on", async () => {
      const queue = aQueue();
      const connected = produce(queue);
      const fresh = produce(queue);
      await connected.add(anEvent());
      freeze();
      expect(await refusal(connected.add(anEvent()))).toBe("queue_unavailable");
      expect(await refusal(fresh.add(anEvent()))).toBe("queue_unavailable");
      expect(await refusal(connected.addMany([{ payload: anEvent() }]))).toBe("queue_unavailable");
      expect(await refusal(backend.check())).toBe("queue_unavailable");
      expect(await refusal(backend.durabilityWarnings())).toBe("queue_unavailable");
      resume();
      await vi.waitFor(() => connected.add(anEvent()), WAIT);
      await vi.waitFor(() => fresh.add(anEvent()), WAIT);
      await vi.waitFor(() => backend.check(), WAIT);
    });

    test("that hangs does not keep a consumer or a producer from closing", async () => {
      const queue = aQueue();
      const producer = produce(queue);
      const consumer = consume(queue, async () => undefined);
      await producer.add(anEvent());
      await vi.waitFor(() => expect(consumer.isRunning).toBe(true), WAIT);
      freeze();
      const closed = Promise.all([consumer.close(200), producer.close()]);
      const inTime = await endsWithin(closed, 6_000);
      resume();
      expect(inTime).toBe(true);
    });

    test.each([
      ["hangs", async (): Promise<void> => freeze(), async (): Promise<void> => resume()],
      ["was killed", kill, restart],
    ])("that %s does not keep a process alive that has closed everything", async (_title, stop, mend) => {
      const queue = aQueue();
      await produce(queue).add(anEvent());
      const child = startTestProcess(server.url, NAMESPACE, queue.name);
      onTestFinished(() => void child.kill("SIGKILL"));
      await once(child, "message");
      await stop();
      child.send("close");
      const exit = await once(child, "exit");
      await mend();
      expect(exit).toEqual([0, null]);
    });

    test("that was killed refuses jobs, and consumers and producers go on when it is back", async () => {
      const queue = aQueue();
      const runs: string[] = [];
      let isPostponed = false;
      const handler: JobHandler<EventPayload> = async ({ payload }) => {
        if (!isPostponed) {
          isPostponed = true;
          throw new AppError("rate_limited", "wait", { retry: { afterMs: 5_000 } });
        }
        runs.push(payload.eventId);
      };
      const consumer = consume(queue, handler);
      const producer = produce(queue);
      const before = anEvent();
      await producer.add(before);
      const administration = createQueueAdministration(backend);
      onTestFinished(() => administration.close());
      // A job that is not stored as postponed would only be run again when its lock has ended.
      await vi.waitFor(
        async () => expect(await administration.queueCounts(queue)).toMatchObject({ delayed: 1 }),
        WAIT,
      );
      await kill();
      expect(await refusal(producer.add(anEvent()))).toBe("queue_unavailable");
      const early = produce(queue);
      expect(await refusal(early.add(anEvent()))).toBe("queue_unavailable");
      const earlyRuns: string[] = [];
      const started = consume(
        { ...queue, name: "started_early" },
        async ({ payload }) => void earlyRuns.push(payload.eventId),
      );
      expect(started.isRunning).toBe(false);
      await restart();
      // What was accepted before is there, delayed or not, and needs no new job to be noticed.
      await vi.waitFor(() => expect(runs).toEqual([before.eventId]), WAIT);
      const after = anEvent();
      await vi.waitFor(() => producer.add(after), WAIT);
      await vi.waitFor(() => early.add(anEvent()), WAIT);
      await vi.waitFor(() => expect(runs).toContain(after.eventId), WAIT);
      expect(consumer.isRunning).toBe(true);
      const late = anEvent();
      await produce({ ...queue, name: "started_early" }).add(late);
      await vi.waitFor(() => expect(earlyRuns).toEqual([late.eventId]), WAIT);
    });

    test("that was never there does not keep a consumer from closing", async () => {
      await kill();
      const consumer = consume(aQueue(), async () => undefined);
      const closed = consumer.close(200);
      expect(await endsWithin(closed, 5_000)).toBe(true);
      await restart();
    });
  });
});
