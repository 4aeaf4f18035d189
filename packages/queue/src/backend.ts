/** The one place that knows which servers BullMQ runs on. */
import type { Processor, Queue, WorkerOptions } from "bullmq";
import { migratePostgresBackend, openPostgresBackend } from "./postgres-backend.ts";
import type { QueueLogger } from "./queue-logger.ts";
import type { QueueConfiguration } from "./queue-url.ts";
import { openRedisBackend } from "./redis-backend.ts";

/** A queue on a connection of its own, which fails fast. */
export interface OpenQueue {
  readonly queue: Queue;
  close(): Promise<void>;
}

/** What is used of BullMQ's Worker, whose type names the backend that it runs on. */
export interface BackendWorker {
  waitUntilReady(): Promise<void>;
  run(): Promise<void>;
  isRunning(): boolean;
  pause(doNotWaitActive: boolean): Promise<void>;
  cancelJob(jobId: string, reason: string): boolean;
  cancelAllJobs(reason: string): void;
  close(force: boolean): Promise<void>;
  getBackend(): { disconnectBlocking(wait: boolean): Promise<void> };
  on(event: "lockRenewalFailed", listener: (jobIds: string[]) => void): unknown;
}

/** A worker on connections of its own, which wait for their server. */
export interface OpenWorker {
  /** Not started: `run` it once `waitUntilReady` has resolved. After a rejection, replace it. */
  readonly worker: BackendWorker;
  /** Cuts its connections, so that nothing that waits for the server waits any longer. Safe to call twice. */
  readonly disconnect: () => void;
}

/** The options that a consumer chooses; connections and names are the backend's. */
export type ConsumerWorkerOptions = Omit<WorkerOptions, "autorun" | "connection" | "prefix">;

/** The servers that keep the queues. */
export interface QueueBackend {
  readonly kind: QueueConfiguration["kind"];
  /** Resolves when the servers take jobs now, within two seconds. @throws AppError `queue_unavailable` */
  check(): Promise<void>;
  /**
   * What may lose an accepted job on these servers, one sentence each, with the command that mends it. Empty = nothing
   * that could be found. @throws AppError `queue_unavailable`
   */
  durabilityWarnings(): Promise<string[]>;
  /** For this package only. Rejects when the servers do not answer within two seconds. */
  openQueue(name: string): Promise<OpenQueue>;
  /** For this package only. */
  createWorker(name: string, processor: Processor<unknown, void>, options: ConsumerWorkerOptions): OpenWorker;
  /** Ends every connection, whoever opened it. Close consumers and producers first. */
  close(): Promise<void>;
}

/** How to open a backend. */
export interface QueueBackendOptions {
  readonly logger?: QueueLogger;
  /** Keeps what one backend stores apart from another's on the same servers; [a-z0-9_], letter first. Default `sluice`. */
  readonly namespace?: string;
}

const DEFAULT_NAMESPACE = "sluice";

/** Opens nothing yet: the first use connects, so that a process may start before its servers do. */
export function openQueueBackend(
  configuration: QueueConfiguration,
  options: QueueBackendOptions = {},
): QueueBackend {
  const { logger, namespace = DEFAULT_NAMESPACE } = options;
  switch (configuration.kind) {
    case "redis":
      // Between braces is what Redis Cluster hashes: every key of a queue must be on one node (BullMQ, "Redis Cluster").
      return openRedisBackend(configuration, { logger, prefix: `{${namespace}}` });
    case "postgres":
      return openPostgresBackend(configuration, { logger, schema: postgresSchema(namespace) });
  }
}

/**
 * Brings the servers to the state that this release needs: tables and functions on PostgreSQL, nothing on Redis. Safe
 * to run by many processes at once, and again.
 */
export async function migrateQueueBackend(
  configuration: QueueConfiguration,
  { namespace = DEFAULT_NAMESPACE }: Pick<QueueBackendOptions, "namespace"> = {},
): Promise<void> {
  if (configuration.kind === "postgres")
    await migratePostgresBackend(configuration, postgresSchema(namespace));
}

function postgresSchema(namespace: string): string {
  return `${namespace}_queue`;
}
