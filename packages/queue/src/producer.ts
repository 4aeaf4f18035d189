/** Puts jobs on a queue: accepted for certain, or refused in bounded time. */
import { AppError } from "@sluice/domain/app-error";
import type { JobsOptions, Queue } from "bullmq";
import type { QueueBackend } from "./backend.ts";
import { withDeadline } from "./deadline.ts";
import { queueUnavailable, toQueueUnavailable } from "./queue-unavailable.ts";
import type { QueueDefinition } from "./queues.ts";
import { createReopening } from "./reopening.ts";

/** Of every call, whatever the servers do. The connections have limits of their own; this one holds for their sum. */
export const PRODUCER_DEADLINE_MS = 2_000;
/** The consumer computes the delay (`retryDelayMs`): a job stores only that there is one. */
const BACKOFF_TYPE = "sluice";
const STACK_LINES_KEPT = 1;

/** One job to add. */
export interface NewJob<Payload> {
  readonly payload: Payload;
  /**
   * While a job of this id is kept (waiting, failed, or completed and not removed), adding it again changes nothing.
   * Not all digits, without a colon. Absent = always a new job.
   */
  readonly jobId?: string;
  /** It is not run before that. Absent = at once. */
  readonly delayMs?: number;
}

/** Adds jobs to one queue. */
export interface Producer<Payload> {
  /**
   * Resolves with the job's id when the servers have the job.
   * @throws AppError `queue_unavailable` within two seconds: the servers did not answer, and the job may be stored or
   * not; what a job does must be harmless when done twice. `job_id_invalid` for an id that no queue takes.
   * `queue_closed` after `close`.
   */
  add(payload: Payload, options?: Omit<NewJob<Payload>, "payload">): Promise<string>;
  /** The same for many, in one round trip. Not all or nothing: on a failure some may be stored. */
  addMany(jobs: readonly NewJob<Payload>[]): Promise<string[]>;
  /** Ends its connection. Await what was added first. */
  close(): Promise<void>;
}

/** Connects when the first job is added, and again whenever that has failed. */
export function createProducer<Payload>(
  backend: QueueBackend,
  definition: QueueDefinition<Payload>,
): Producer<Payload> {
  const opened = createReopening(() => backend.openQueue(definition.name));
  const what = `add to the queue ${definition.name}`;

  async function run<T>(add: (queue: Queue) => Promise<T>): Promise<T> {
    const work = opened.get().then(({ queue }) => add(queue));
    try {
      return await withDeadline(work, PRODUCER_DEADLINE_MS, () =>
        queueUnavailable(what, `no answer within ${PRODUCER_DEADLINE_MS} ms`),
      );
    } catch (error) {
      throw toQueueUnavailable(what, error);
    }
  }

  return {
    async add(payload, job = {}) {
      const options = jobOptions(definition, job);
      return run(async (queue) => idOf(await queue.add(definition.name, payload, options)));
    },
    async addMany(jobs) {
      const bulk = jobs.map(({ payload, ...job }) => ({
        name: definition.name,
        data: payload,
        opts: jobOptions(definition, job),
      }));
      return run(async (queue) => (await queue.addBulk(bulk)).map(idOf));
    },
    close: () => opened.close(),
  };
}

function jobOptions(
  { retry }: QueueDefinition<unknown>,
  { jobId, delayMs }: Omit<NewJob<unknown>, "payload">,
): JobsOptions {
  if (jobId !== undefined && (/^\d*$/.test(jobId) || jobId.includes(":"))) {
    throw new AppError("job_id_invalid", "A job id must not be empty, all digits or hold a colon", {
      retry: "never",
    });
  }
  return {
    attempts: retry.attempts,
    backoff: { type: BACKOFF_TYPE },
    stackTraceLimit: STACK_LINES_KEPT,
    ...(jobId === undefined ? {} : { jobId }),
    ...(delayMs === undefined ? {} : { delay: delayMs }),
  };
}

/** BullMQ types the id of a job that is not stored yet as absent. */
function idOf(job: { readonly id?: string }): string {
  if (job.id === undefined) throw new Error("BullMQ stored a job without an id");
  return job.id;
}
