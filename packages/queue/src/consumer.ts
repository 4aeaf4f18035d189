/** Takes the jobs of one queue and gives each to a handler, until it is closed. */
import { setTimeout as sleep } from "node:timers/promises";
import { DelayedError, WaitingError, type Job } from "bullmq";
import type { OpenWorker, QueueBackend } from "./backend.ts";
import { endsWithin } from "./deadline.ts";
import { decideJobFate, storableError, type JobFate } from "./job-fate.ts";
import type { QueueLogger } from "./queue-logger.ts";
import { parsePayload, type QueueDefinition } from "./queues.ts";
import { retryDelayMs } from "./retry-delay.ts";

/** A process that dies gives its jobs back after this and up to two stalled intervals; a live one renews its locks. */
const LOCK_DURATION_MS = 10_000;
const STALLED_INTERVAL_MS = 5_000;
/** A job that was running when its process died, so often, is failed: it may be what kills the process. */
const MAX_STALLED_COUNT = 10;
/** BullMQ's own 15 s is how long a worker would rest after its server has refused a connection. */
const RUN_RETRY_DELAY_MS = 1_000;
const REOPEN_DELAY_MS = 1_000;
/** A goodbye to a server that has stopped answering is not waited for longer. */
const CLOSE_DEADLINE_MS = 2_000;

/** One run of one job. */
export interface JobRun<Payload> {
  readonly payload: Payload;
  readonly jobId: string;
  /** 1-based. A postponed run does not count. */
  readonly attempt: number;
  readonly enqueuedAt: Date;
  /**
   * Aborted when the job's lock was lost, so that another process may run the job already, and when the consumer was
   * closed without waiting any longer.
   */
  readonly signal: AbortSignal;
}

/**
 * Must be harmless when run twice. Returning completes the job. Throwing decides: an AppError with retry "never" puts
 * it into the failed set, one with `{ afterMs }` runs it again then without using up an attempt, anything else is tried
 * again with backoff until the attempts are used up.
 */
export type JobHandler<Payload> = (run: JobRun<Payload>) => Promise<void>;

/** How a run ended, for metrics. Reported before the servers have stored it. */
export interface JobOutcome {
  readonly kind: "complete" | JobFate["kind"];
  readonly jobId: string;
  readonly attempt: number;
  readonly durationMs: number;
  /** From when the job was added to when this run began, earlier attempts included. */
  readonly waitedMs: number;
  /** Absent when the run completed. */
  readonly error?: unknown;
}

/** How to consume. */
export interface ConsumerOptions {
  /** Runs at once. */
  readonly concurrency: number;
  /** Runs that do not complete are logged here; the handler logs its own. */
  readonly logger?: QueueLogger;
  /** Must not throw. */
  readonly onOutcome?: (outcome: JobOutcome) => void;
}

/** Consumes until it is closed. */
export interface Consumer {
  /**
   * Takes no further job, waits up to `graceMs` for those that run, and aborts the signals of the rest. What did not
   * end in time is given back when its lock ends, and runs again elsewhere. Resolves at most two seconds after
   * `graceMs`; a second call waits for the first.
   */
  close(graceMs: number): Promise<void>;
  /** Whether it takes jobs: connected once at least, and not closed. */
  readonly isRunning: boolean;
}

/** Starts at once when the servers are there, and otherwise as soon as they are; comes back by itself after they went. */
export function createConsumer<Payload>(
  backend: QueueBackend,
  definition: QueueDefinition<Payload>,
  handler: JobHandler<Payload>,
  options: ConsumerOptions,
): Consumer {
  const { concurrency, logger } = options;
  const closing = new AbortController();
  let running = 0;
  let current: OpenWorker | undefined;

  // BullMQ counts the parameters: without a third one that is not optional, there is no signal.
  async function process(
    job: Job<unknown, void>,
    token: string | undefined,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    if (closing.signal.aborted) {
      // Fetched while the worker was told to stop.
      await job.moveToWait(token);
      throw new WaitingError();
    }
    running++;
    try {
      await runJob({ job, token, signal: signal ?? closing.signal, definition, handler, options });
    } finally {
      running--;
    }
  }

  function createWorker(): OpenWorker {
    const opened = backend.createWorker(definition.name, process, {
      concurrency,
      lockDuration: LOCK_DURATION_MS,
      stalledInterval: STALLED_INTERVAL_MS,
      maxStalledCount: MAX_STALLED_COUNT,
      runRetryDelay: RUN_RETRY_DELAY_MS,
      removeOnComplete: {
        age: seconds(definition.keepCompleted.forMs),
        count: definition.keepCompleted.atMost,
      },
      removeOnFail: { age: seconds(definition.keepFailedForMs) },
      settings: { backoffStrategy: (attempt) => retryDelayMs(attempt, definition.retry, Math.random()) },
    });
    opened.worker.on("lockRenewalFailed", (jobIds) => {
      for (const jobId of jobIds) opened.worker.cancelJob(jobId, "the lock of the job was lost");
    });
    return opened;
  }

  /** A worker whose first connection failed never becomes ready (see reopening.ts): it is replaced. */
  async function consume(): Promise<void> {
    while (!closing.signal.aborted) {
      current = createWorker();
      try {
        await current.worker.waitUntilReady();
        await current.worker.run();
      } catch (err) {
        if (closing.signal.aborted) return;
        logger?.warn({ queue: definition.name, err }, "queue.worker_failed");
        await discard(current);
        await sleep(REOPEN_DELAY_MS, undefined, { signal: closing.signal }).catch(() => undefined);
      }
    }
  }

  /**
   * Not by Worker#close without force, which waits for its blocking connection to end: one that is between two attempts
   * to connect never does, and then the worker's timers keep the process alive (BullMQ 6.7.0 on ioredis 6.0.0).
   */
  async function stop(graceMs: number): Promise<void> {
    closing.abort();
    if (current === undefined) return;
    const { worker } = current;
    if (worker.isRunning()) {
      await worker.pause(true);
      // Ends the wait for the next job, and with it `run`, once every job that was taken is stored as done.
      worker
        .getBackend()
        .disconnectBlocking(false)
        .catch(() => undefined);
      if (!(await endsWithin(consumed, graceMs))) {
        logger?.warn({ queue: definition.name, running }, "queue.consumer_not_drained");
        worker.cancelAllJobs("the consumer was closed");
      }
    }
    await discard(current);
  }

  const consumed = consume();
  let closed: Promise<void> | undefined;
  return {
    close(graceMs) {
      closed ??= stop(graceMs);
      return closed;
    },
    get isRunning() {
      return !closing.signal.aborted && current?.worker.isRunning() === true;
    },
  };
}

interface Run<Payload> {
  readonly job: Job<unknown, void>;
  readonly token: string | undefined;
  readonly signal: AbortSignal;
  readonly definition: QueueDefinition<Payload>;
  readonly handler: JobHandler<Payload>;
  readonly options: ConsumerOptions;
}

/** The one place that catches what a handler throws. */
async function runJob<Payload>({
  job,
  token,
  signal,
  definition,
  handler,
  options,
}: Run<Payload>): Promise<void> {
  const { id: jobId = "", attemptsMade, timestamp } = job;
  const startedAt = Date.now();
  const attempt = attemptsMade + 1;
  const report = (outcome: Pick<JobOutcome, "kind" | "error">): void =>
    options.onOutcome?.({
      ...outcome,
      jobId,
      attempt,
      durationMs: Date.now() - startedAt,
      waitedMs: Math.max(startedAt - timestamp, 0),
    });
  try {
    const payload = parsePayload(definition, job.data);
    await handler({ payload, jobId, attempt, enqueuedAt: new Date(timestamp), signal });
    report({ kind: "complete" });
  } catch (error) {
    const fate = decideJobFate(error, { attempt, attempts: job.opts.attempts ?? 1 });
    report({ kind: fate.kind, error });
    logFate(options.logger, fate, { queue: definition.name, jobId, attempt, err: error });
    if (fate.kind !== "postpone") throw storableError(error, { permanent: fate.kind === "fail" });
    await job.moveToDelayed(Date.now() + fate.afterMs, token);
    throw new DelayedError();
  }
}

function logFate(logger: QueueLogger | undefined, fate: JobFate, fields: object): void {
  switch (fate.kind) {
    case "fail":
      return logger?.error(fields, "queue.job_failed");
    case "retry":
      return logger?.warn(fields, "queue.job_retried");
    case "postpone":
      return logger?.info({ ...fields, afterMs: fate.afterMs }, "queue.job_postponed");
  }
}

/** What still runs is left alone: it can no longer store how it ended. */
async function discard({ worker, disconnect }: OpenWorker): Promise<void> {
  await endsWithin(worker.close(true), CLOSE_DEADLINE_MS);
  disconnect();
}

function seconds(ms: number): number {
  return Math.ceil(ms / 1_000);
}
