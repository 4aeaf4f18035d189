/** What Redis under Sentinel promises beside what every Redis does. */
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findRedisServer, type RedisServer } from "@sluice/embedded/redis";
import { startRedisSentinels, type RedisSentinels } from "@sluice/embedded/redis-sentinel";
import { injectTestServers } from "@sluice/embedded/test-context";
import { Redis } from "ioredis";
import { beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { openQueueBackend, type QueueBackend } from "./backend.ts";
import { createConsumer } from "./consumer.ts";
import { createProducer } from "./producer.ts";
import { parseQueueUrl } from "./queue-url.ts";
import { eventsQueue } from "./queues.ts";
import { anEvent, refusal, startTestProcess } from "./test-queue.ts";

const { redisUrl } = injectTestServers();
const binary = redisUrl === null ? null : await findRedisServer();
const NAMESPACE = "sentinel";
const WAIT = { timeout: 30_000, interval: 50 };

describe.skipIf(binary === null)("Redis under Sentinel", { timeout: 90_000 }, () => {
  let servers: RedisSentinels;
  let backend: QueueBackend;
  const frozen = new Set<RedisServer>();

  beforeEach(async () => {
    const directory = mkdtempSync(join(tmpdir(), "sluice-sentinel-"));
    servers = await startRedisSentinels({ directory, binary: binary ?? "", sentinels: 3 });
    backend = openQueueBackend(parseQueueUrl(servers.url), { namespace: NAMESPACE });
    return async () => {
      await backend.close();
      for (const server of frozen) resume(server);
      await servers.stop();
      rmSync(directory, { recursive: true, force: true });
    };
  });

  /** It accepts connections and answers nothing. */
  function freeze(server: RedisServer): void {
    process.kill(server.pid, "SIGSTOP");
    frozen.add(server);
  }

  function resume(server: RedisServer): void {
    process.kill(server.pid, "SIGCONT");
    frozen.delete(server);
  }

  function produce() {
    const producer = createProducer(backend, eventsQueue);
    onTestFinished(() => producer.close());
    return producer;
  }

  /** What has run. */
  function consume(): string[] {
    const runs: string[] = [];
    const consumer = createConsumer(
      backend,
      eventsQueue,
      async (run) => void runs.push(run.payload.eventId),
      {
        concurrency: 1,
      },
    );
    onTestFinished(() => consumer.close(1_000));
    return runs;
  }

  /** Resolves when the replica has everything that was accepted so far. */
  async function replicated(): Promise<void> {
    const [primary, replica] = [new Redis(servers.primary.port), new Redis(servers.replica.port)];
    const offset = async (redis: Redis, name: string): Promise<number> =>
      Number(new RegExp(`${name}:(\\d+)`).exec(await redis.info("replication"))?.[1]);
    const accepted = await offset(primary, "master_repl_offset");
    await vi.waitFor(
      async () => expect(await offset(replica, "slave_repl_offset")).toBeGreaterThanOrEqual(accepted),
      WAIT,
    );
    primary.disconnect();
    replica.disconnect();
  }

  test.each([
    ["was killed", (): unknown => process.kill(servers.primary.pid, "SIGKILL")],
    ["hangs", (): unknown => freeze(servers.primary)],
  ])("a primary that %s is replaced: nothing that the replica has is lost", async (_title, begin) => {
    const [connected, fresh] = [produce(), produce()];
    const idle = consume();
    const first = anEvent();
    await connected.add(first);
    await vi.waitFor(() => expect(idle).toEqual([first.eventId]), WAIT);
    await backend.check();
    const waiting = { ...eventsQueue, name: "waiting" };
    const early = createProducer(backend, waiting);
    onTestFinished(() => early.close());
    const before = [anEvent(), anEvent(), anEvent()];
    for (const event of before) await early.add(event);
    await replicated();

    begin();
    expect(await refusal(connected.add(anEvent()))).toBe("queue_unavailable");
    const after = [anEvent(), anEvent()];
    await vi.waitFor(() => connected.add(after[0]!), WAIT);
    await vi.waitFor(() => fresh.add(after[1]!), WAIT);
    await vi.waitFor(() => backend.check(), WAIT);

    await vi.waitFor(
      () => expect(idle).toEqual(expect.arrayContaining(after.map(({ eventId }) => eventId))),
      WAIT,
    );
    const late: string[] = [];
    const consumer = createConsumer(
      backend,
      waiting,
      async ({ payload }) => void late.push(payload.eventId),
      { concurrency: 1 },
    );
    onTestFinished(() => consumer.close(1_000));
    await vi.waitFor(() => expect(late).toEqual(before.map(({ eventId }) => eventId)), WAIT);
  });

  test("a sentinel that hangs keeps nobody from finding the primary through the others", async () => {
    freeze(servers.sentinels[0]!);
    const runs = consume();
    const event = anEvent();
    const producer = produce();
    await vi.waitFor(() => producer.add(event), WAIT);
    await vi.waitFor(() => expect(runs).toContain(event.eventId), WAIT);
  });

  test("without any sentinel jobs are refused in bounded time, and taken when one is back", async () => {
    servers.sentinels.forEach(freeze);
    const producer = produce();
    const runs = consume();
    expect(await refusal(producer.add(anEvent()))).toBe("queue_unavailable");
    expect(await refusal(backend.check())).toBe("queue_unavailable");
    resume(servers.sentinels[2]!);
    const event = anEvent();
    await vi.waitFor(() => producer.add(event), WAIT);
    await vi.waitFor(() => expect(runs).toContain(event.eventId), WAIT);
  });

  test.each([
    ["as they should", (): void => undefined],
    ["but the sentinels, which hang,", (): void => servers.sentinels.forEach(freeze)],
    ["but the primary, which hangs,", (): void => freeze(servers.primary)],
  ])("while all work %s a process ends that has closed everything", async (_title, begin) => {
    await produce().add(anEvent());
    const child = startTestProcess(servers.url, NAMESPACE, eventsQueue.name);
    onTestFinished(() => void child.kill("SIGKILL"));
    await once(child, "message");
    begin();
    child.send("close");
    expect(await once(child, "exit")).toEqual([0, null]);
  });
});
