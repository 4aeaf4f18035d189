/** BullMQ on Redis or Valkey. */
import { createRedisBackend, Queue, Worker } from "bullmq";
import { EVENT_STREAM } from "./event-stream.ts";
import type { OpenQueue, QueueBackend } from "./backend.ts";
import { withDeadline } from "./deadline.ts";
import { pacedBackend } from "./paced-backend.ts";
import { createErrorReporter, type QueueLogger } from "./queue-logger.ts";
import { toQueueUnavailable } from "./queue-unavailable.ts";
import type { RedisConfiguration } from "./queue-url.ts";
import {
  COMMAND_TIMEOUT_MS,
  connectRedis,
  createRedisClient,
  endForGood,
  keepDuplicates,
  type RedisClient,
  type RedisManner,
} from "./redis-connection.ts";
import { redisDurabilityWarnings } from "./redis-durability.ts";
import { createReopening } from "./reopening.ts";

interface Options {
  readonly logger: QueueLogger | undefined;
  /** Of every key. */
  readonly prefix: string;
}

/** `openQueueBackend` is the way here. */
export function openRedisBackend(
  configuration: RedisConfiguration,
  { logger, prefix }: Options,
): QueueBackend {
  const open = new Set<RedisClient>();

  function createClient(manner: RedisManner, onError: (error: Error) => void): RedisClient {
    const client = createRedisClient(configuration, manner, onError);
    open.add(client);
    client.once("end", () => open.delete(client));
    return client;
  }

  async function connect(onError: (error: Error) => void): Promise<RedisClient> {
    const client = createClient("fails_fast", onError);
    try {
      await connectRedis(client);
      return client;
    } catch (error) {
      // A cluster that never had a node does not say that it has ended (ioredis 6.0.0).
      open.delete(client);
      throw error;
    }
  }

  const control = createReopening(async () => {
    const client = await connect(createErrorReporter(logger, { purpose: "control" }));
    return { client, close: async () => client.disconnect() };
  });

  async function openQueue(name: string): Promise<OpenQueue> {
    const report = createErrorReporter(logger, { queue: name, purpose: "producer" });
    const client = await connect(report);
    const queue = new Queue(name, { connection: client, prefix, streams: EVENT_STREAM });
    queue.on("error", report);
    const close = async (): Promise<void> => {
      await queue.close();
      client.disconnect();
    };
    try {
      await queue.waitUntilReady();
    } catch (error) {
      await close();
      throw error;
    }
    return { queue, close };
  }

  return {
    kind: "redis",
    openQueue,
    async check() {
      try {
        // In a cluster only the node that has the queues counts, and a key finds it.
        const answer = control.get().then(({ client }) => client.exists(`${prefix}:check`));
        await withDeadline(answer, COMMAND_TIMEOUT_MS, () => new Error("it does not answer"));
      } catch (error) {
        throw toQueueUnavailable("use the queue's Redis", error);
      }
    },
    durabilityWarnings: () =>
      control
        .get()
        .then(({ client }) => redisDurabilityWarnings(client))
        .catch((error: unknown) => {
          throw toQueueUnavailable("ask the queue's Redis for its settings", error);
        }),
    createWorker(name, processor, options) {
      const report = createErrorReporter(logger, { queue: name, purpose: "worker" });
      const own = new Set<RedisClient>();
      const keep = <C extends RedisClient>(client: C): C => {
        own.add(client);
        return client;
      };
      const connection = keep(createClient("waits", report));
      // BullMQ makes a second connection, to block on, and gives nobody a way to cut it before it is ready.
      keepDuplicates(connection, (duplicate) => keep(duplicate.on("error", report)));
      const worker = new Worker<unknown, void>(
        name,
        processor,
        { ...options, connection, prefix, autorun: false },
        (...args) => pacedBackend(createRedisBackend(...args)),
      );
      worker.on("error", report);
      return {
        worker,
        disconnect() {
          for (const client of own) endForGood(client);
        },
      };
    },
    async close() {
      await control.close();
      for (const client of open) client.disconnect();
    },
  };
}
