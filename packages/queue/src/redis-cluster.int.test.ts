/** What a Redis Cluster promises beside what every Redis does. */
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AppError } from "@sluice/domain/app-error";
import { startRedisCluster, type RedisCluster } from "@sluice/embedded/redis-cluster";
import { findRedisServer } from "@sluice/embedded/redis";
import { injectTestServers } from "@sluice/embedded/test-context";
import { Redis } from "ioredis";
import { beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import { createQueueAdministration, openDashboardQueues } from "./administration.ts";
import { openQueueBackend, type QueueBackend } from "./backend.ts";
import { createConsumer, type JobHandler } from "./consumer.ts";
import { endsWithin } from "./deadline.ts";
import { createProducer } from "./producer.ts";
import { parseQueueUrl } from "./queue-url.ts";
import { eventsQueue, type EventPayload, type QueueDefinition } from "./queues.ts";
import { anEvent, newNamespace, refusal, startTestProcess } from "./test-queue.ts";

const { redisUrl } = injectTestServers();
const binary = redisUrl === null ? null : await findRedisServer();
const WAIT = { timeout: 30_000, interval: 50 };

describe.skipIf(binary === null)("a Redis Cluster", { timeout: 90_000 }, () => {
  let directory: string;
  let cluster: RedisCluster;

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), "sluice-cluster-"));
    cluster = await startRedisCluster({ directory, binary: binary ?? "" });
    return async () => {
      await cluster.stop();
      rmSync(directory, { recursive: true, force: true });
    };
  });

  /** One answer of one node. */
  async function ask(node: number, ...command: [string, ...string[]]): Promise<unknown> {
    const client = new Redis(cluster.nodes[node]!.port);
    return client.call(...command).finally(() => client.disconnect());
  }

  /** Whose queues are on that node. */
  async function aNamespaceOn(node: number): Promise<string> {
    for (;;) {
      const namespace = newNamespace();
      const slot = (await ask(0, "CLUSTER", "KEYSLOT", `{${namespace}}`)) as number;
      if (Math.floor(slot / Math.ceil(16_384 / 3)) === node) return namespace;
    }
  }

  function open(namespace: string): QueueBackend {
    const backend = openQueueBackend(parseQueueUrl(cluster.url), { namespace });
    onTestFinished(() => backend.close());
    return backend;
  }

  function aQueue(name: string): QueueDefinition<EventPayload> {
    return { ...eventsQueue, name, retry: { attempts: 2, firstDelayMs: 1, maxDelayMs: 2 } };
  }

  function produce(backend: QueueBackend, queue: QueueDefinition<EventPayload>) {
    const producer = createProducer(backend, queue);
    onTestFinished(() => producer.close());
    return producer;
  }

  function consume(
    backend: QueueBackend,
    queue: QueueDefinition<EventPayload>,
    handler: JobHandler<EventPayload>,
  ) {
    const kinds: string[] = [];
    const consumer = createConsumer(backend, queue, handler, {
      concurrency: 1,
      onOutcome: ({ kind }) => void kinds.push(kind),
    });
    onTestFinished(() => consumer.close(1_000));
    return { consumer, kinds };
  }

  test.each([0, 1, 2])("keeps all the queues of a namespace in one slot, here on node %i", async (node) => {
    const namespace = await aNamespaceOn(node);
    const backend = open(namespace);
    const queue = aQueue("events");
    const administration = createQueueAdministration(backend);
    onTestFinished(() => administration.close());
    const producer = produce(backend, queue);
    const [postponed, failed] = await producer.addMany([{ payload: anEvent() }, { payload: anEvent() }]);
    await produce(backend, aQueue("other")).add(anEvent(), { jobId: "other" });
    expect(await administration.queueCounts(queue)).toMatchObject({ waiting: 2 });

    let isMended = false;
    let isPostponed = false;
    const { kinds } = consume(backend, queue, async ({ jobId }) => {
      if (jobId === failed && !isMended) throw new Error("disk full");
      if (jobId !== postponed || isPostponed) return;
      isPostponed = true;
      throw new AppError("rate_limited", "wait", { retry: { afterMs: 20 } });
    });
    await vi.waitFor(
      async () => expect(await administration.queueCounts(queue)).toMatchObject({ completed: 1, failed: 1 }),
      WAIT,
    );
    expect(kinds.toSorted()).toEqual(["complete", "fail", "postpone", "retry"]);
    expect(await administration.listFailed(queue)).toMatchObject([{ jobId: failed, reason: "disk full" }]);
    const ofAllNodes = await Promise.all([0, 1, 2].map((index) => ask(index, "KEYS", `*${namespace}*`)));
    const keys = ofAllNodes[node] as string[];
    isMended = true;
    expect(await administration.retryFailed(queue, "all")).toBe(1);
    await vi.waitFor(
      async () => expect(await administration.queueCounts(queue)).toMatchObject({ completed: 2 }),
      WAIT,
    );

    expect(keys).toEqual(
      expect.arrayContaining([`{${namespace}}:events:failed`, `{${namespace}}:other:other`]),
    );
    expect(ofAllNodes.flat()).toHaveLength(keys.length);
    const slots = await Promise.all(keys.map((key) => ask(node, "CLUSTER", "KEYSLOT", key)));
    expect(new Set(slots).size).toBe(1);
  });

  test("is checked, shown and asked for its settings like one server", async () => {
    const backend = open(newNamespace());
    await backend.check();
    expect(await backend.durabilityWarnings()).toEqual([]);
    const dashboard = await openDashboardQueues(backend);
    onTestFinished(() => dashboard.close());
    expect(await Promise.all(dashboard.queues.map((queue) => queue.getWaitingCount()))).toEqual([0, 0]);
  });

  describe("whose node of the queue", () => {
    const NODE = 1;

    function signal(name: NodeJS.Signals): void {
      process.kill(cluster.nodes[NODE]!.pid, name);
    }

    const outages = [
      {
        outage: "hangs",
        begin: async (): Promise<void> => signal("SIGSTOP"),
        end: async (): Promise<void> => signal("SIGCONT"),
      },
      {
        outage: "was killed",
        begin: async (): Promise<void> => signal("SIGKILL"),
        end: (): Promise<void> => cluster.restart(NODE),
      },
    ];

    test.each(outages)(
      "$outage refuses jobs in bounded time, and goes on afterwards",
      async ({ begin, end }) => {
        const backend = open(await aNamespaceOn(NODE));
        const queue = aQueue("events");
        const [connected, fresh] = [produce(backend, queue), produce(backend, queue)];
        const runs: string[] = [];
        const { consumer } = consume(backend, queue, async ({ payload }) => void runs.push(payload.eventId));
        const before = anEvent();
        // The cluster may have to get over the outage of the test before.
        await vi.waitFor(() => connected.add(before), WAIT);
        await vi.waitFor(() => expect(runs).toContain(before.eventId), WAIT);
        await backend.check();
        await begin();
        try {
          expect(await refusal(connected.add(anEvent()))).toBe("queue_unavailable");
          expect(await refusal(fresh.add(anEvent()))).toBe("queue_unavailable");
          expect(await refusal(backend.check())).toBe("queue_unavailable");
        } finally {
          await end();
        }
        await vi.waitFor(() => backend.check(), WAIT);
        const after = [anEvent(), anEvent()];
        await vi.waitFor(() => connected.add(after[0]!), WAIT);
        await vi.waitFor(() => fresh.add(after[1]!), WAIT);
        await vi.waitFor(
          () => expect(runs).toEqual(expect.arrayContaining(after.map(({ eventId }) => eventId))),
          WAIT,
        );
        expect(consumer.isRunning).toBe(true);
      },
    );

    test.each(outages)("$outage keeps nobody from closing", async ({ begin, end }) => {
      const namespace = await aNamespaceOn(NODE);
      const producer = produce(open(namespace), aQueue("events"));
      await vi.waitFor(() => producer.add(anEvent()), WAIT);
      const child = startTestProcess(cluster.url, namespace, "events");
      onTestFinished(() => void child.kill("SIGKILL"));
      await once(child, "message");
      await begin();
      try {
        child.send("close");
        expect(await once(child, "exit")).toEqual([0, null]);
      } finally {
        await end();
      }
    });
  });

  test("that is away as a whole refuses jobs, and consumers and producers go on when it is back", async () => {
    const backend = open(newNamespace());
    const queue = aQueue("events");
    const runs: string[] = [];
    const handler: JobHandler<EventPayload> = async ({ payload }) => void runs.push(payload.eventId);
    const connected = produce(backend, queue);
    const before = anEvent();
    await vi.waitFor(() => connected.add(before), WAIT);
    const { consumer } = consume(backend, queue, handler);
    await vi.waitFor(() => expect(runs).toContain(before.eventId), WAIT);
    for (const { pid } of cluster.nodes) process.kill(pid, "SIGKILL");
    expect(await refusal(connected.add(anEvent()))).toBe("queue_unavailable");
    const early = produce(backend, queue);
    expect(await refusal(early.add(anEvent()))).toBe("queue_unavailable");
    const started = consume(backend, aQueue("started_early"), handler);
    await Promise.all(cluster.nodes.map((_, index) => cluster.restart(index)));
    const after = [anEvent(), anEvent(), anEvent()];
    await vi.waitFor(() => connected.add(after[0]!), WAIT);
    await vi.waitFor(() => early.add(after[1]!), WAIT);
    await vi.waitFor(() => produce(backend, aQueue("started_early")).add(after[2]!), WAIT);
    await vi.waitFor(
      () => expect(runs).toEqual(expect.arrayContaining(after.map(({ eventId }) => eventId))),
      WAIT,
    );
    expect([consumer.isRunning, started.consumer.isRunning]).toEqual([true, true]);
    expect(await endsWithin(consumer.close(1_000), 5_000)).toBe(true);
  });
});
