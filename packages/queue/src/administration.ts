/** What people ask of the queues, and do to failed jobs. */
import type { Job, Queue } from "bullmq";
import type { OpenQueue, QueueBackend } from "./backend.ts";
import { withDeadline } from "./deadline.ts";
import { queueUnavailable, toQueueUnavailable } from "./queue-unavailable.ts";
import { allQueues, type QueueDefinition } from "./queues.ts";
import { createReopening, type Reopening } from "./reopening.ts";

/** Of a question, not of what is done to many jobs, which takes round trips for each. */
const DEADLINE_MS = 5_000;
/** Round trips under way at once. */
const PROMOTED_AT_ONCE = 50;
/** "All" in one call: enough to empty a day's mistake, and an end in sight. */
const MAX_RETRIED = 10_000;

/** A job of the failed set. */
export interface FailedJob {
  readonly jobId: string;
  readonly reason: string;
  readonly attempts: number;
  readonly enqueuedAt: Date;
  readonly failedAt: Date;
}

/** Jobs of one queue by state. */
export interface QueueCounts {
  readonly waiting: number;
  readonly active: number;
  /** Postponed, or waiting for their next attempt. */
  readonly delayed: number;
  /** That are kept. */
  readonly completed: number;
  readonly failed: number;
}

/** Every method: @throws AppError `queue_unavailable`. */
export interface QueueAdministration {
  /** The latest first. */
  listFailed(
    definition: QueueDefinition<unknown>,
    page?: { offset?: number; limit?: number },
  ): Promise<FailedJob[]>;
  /**
   * Puts failed jobs back into the queue with all their attempts, at most 10 000 in one call. @returns how many it
   * put back: an id that is not in the failed set (any more) counts as none.
   */
  retryFailed(definition: QueueDefinition<unknown>, jobs: readonly string[] | "all"): Promise<number>;
  /**
   * Runs postponed jobs now instead of when their time has come. @returns how many: an id that is not postponed (any more)
   * counts as none.
   */
  promotePostponed(definition: QueueDefinition<unknown>, jobs: readonly string[]): Promise<number>;
  queueCounts(definition: QueueDefinition<unknown>): Promise<QueueCounts>;
  close(): Promise<void>;
}

/** Connects to a queue when it is first asked about. */
export function createQueueAdministration(backend: QueueBackend): QueueAdministration {
  const opened = new Map<string, Reopening<OpenQueue>>();

  function open(name: string): Reopening<OpenQueue> {
    const existing = opened.get(name);
    if (existing !== undefined) return existing;
    const created = createReopening(() => backend.openQueue(name));
    opened.set(name, created);
    return created;
  }

  async function ask<T>(
    { name }: QueueDefinition<unknown>,
    question: (queue: Queue) => Promise<T>,
  ): Promise<T> {
    try {
      const { queue } = await open(name).get();
      return await withDeadline(question(queue), DEADLINE_MS, () => new Error("no answer in time"));
    } catch (error) {
      throw toQueueUnavailable(`ask the queue ${name}`, error);
    }
  }

  return {
    listFailed: (definition, { offset = 0, limit = 50 } = {}) =>
      ask(definition, async (queue) => (await queue.getFailed(offset, offset + limit - 1)).map(toFailedJob)),
    async retryFailed(definition, jobs) {
      const ids =
        jobs === "all"
          ? await ask(definition, (queue) => queue.getRanges(["failed"], 0, MAX_RETRIED - 1, true))
          : jobs;
      let retried = 0;
      for (const id of ids.slice(0, MAX_RETRIED)) {
        if (await ask(definition, (queue) => retryJob(queue, id))) retried++;
      }
      return retried;
    },
    async promotePostponed(definition, jobs) {
      let promoted = 0;
      for (let from = 0; from < jobs.length; from += PROMOTED_AT_ONCE) {
        const some = jobs.slice(from, from + PROMOTED_AT_ONCE);
        const done = await ask(definition, (queue) => Promise.all(some.map((id) => promoteJob(queue, id))));
        promoted += done.filter(Boolean).length;
      }
      return promoted;
    },
    queueCounts: (definition) => ask(definition, countJobs),
    async close() {
      await Promise.all([...opened.values()].map((queue) => queue.close()));
    },
  };
}

/** BullMQ's own objects of every queue, for a dashboard that draws them. */
export interface DashboardQueues {
  readonly queues: readonly Queue[];
  close(): Promise<void>;
}

/** @throws AppError `queue_unavailable` when the servers are away: ask again when they are back. */
export async function openDashboardQueues(backend: QueueBackend): Promise<DashboardQueues> {
  const results = await Promise.allSettled(allQueues.map(({ name }) => backend.openQueue(name)));
  const opened = results.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
  const close = async (): Promise<void> => {
    await Promise.all(opened.map((queue) => queue.close()));
  };
  const failed = results.find((result) => result.status === "rejected");
  if (failed !== undefined) {
    await close();
    throw queueUnavailable("open the queues for the dashboard", failed.reason);
  }
  return { queues: opened.map(({ queue }) => queue), close };
}

async function countJobs(queue: Queue): Promise<QueueCounts> {
  const counts = await queue.getJobCounts("waiting", "active", "delayed", "completed", "failed");
  const count = (state: string): number => counts[state] ?? 0;
  return {
    waiting: count("waiting"),
    active: count("active"),
    delayed: count("delayed"),
    completed: count("completed"),
    failed: count("failed"),
  };
}

/** One at a time: BullMQ's `retryJobs` leaves the used-up attempts as they are on Redis (6.7.0). */
async function retryJob(queue: Queue, id: string): Promise<boolean> {
  const job: Job | undefined = await queue.getJob(id);
  if (job === undefined || !(await job.isFailed())) return false;
  await job.retry("failed", { resetAttemptsMade: true, resetAttemptsStarted: true });
  return true;
}

async function promoteJob(queue: Queue, id: string): Promise<boolean> {
  const job: Job | undefined = await queue.getJob(id);
  if (job === undefined) return false;
  try {
    await job.promote();
    return true;
  } catch (error) {
    if (await job.isDelayed()) throw error;
    return false;
  }
}

function toFailedJob(job: Job): FailedJob {
  return {
    jobId: job.id ?? "",
    reason: job.failedReason,
    attempts: job.attemptsMade,
    enqueuedAt: new Date(job.timestamp),
    failedAt: new Date(job.finishedOn ?? job.timestamp),
  };
}
