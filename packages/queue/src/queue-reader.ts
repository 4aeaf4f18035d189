/** What metrics tell of the queues, in any process. */
import type { IQueueBackend } from "bullmq";
import type { QueueBackend } from "./backend.ts";
import { withDeadline } from "./deadline.ts";
import { findOldestAddedAt } from "./oldest-job.ts";
import { queueUnavailable, toQueueUnavailable } from "./queue-unavailable.ts";
import { allQueues, type QueueDefinition } from "./queues.ts";
import { createReopening } from "./reopening.ts";

/** A scrape goes on without an answer after this time anyway. */
const DEADLINE_MS = 2_000;
/** What a person may have to do something about; completed jobs are only kept for the dashboard. */
const STATES = ["waiting", "active", "delayed", "failed"] as const;

/** What one queue holds now. */
export interface QueueReading {
  readonly queue: string;
  readonly depth: Readonly<Record<(typeof STATES)[number], number>>;
  /**
   * Since the oldest job that is neither completed nor failed was added, waiting, postponed or running; null when there
   * is none. For its limits see `findOldestAddedAt`.
   */
  readonly oldestJobAgeMs: number | null;
}

/** Reads the queues. */
export interface QueueReader {
  /** One reading a queue. @throws AppError `queue_unavailable` within two seconds, for all of them. */
  read(): Promise<QueueReading[]>;
  close(): Promise<void>;
}

/**
 * Connects when it is first asked, and again after that has failed. One connection for all queues, apart from those of
 * producers: who adds a job never waits for a reading.
 */
export function createQueueReader(
  backend: QueueBackend,
  queues: readonly [QueueDefinition<unknown>, ...QueueDefinition<unknown>[]] = allQueues,
): QueueReader {
  const opened = createReopening(async () => {
    const { queue, close } = await backend.openQueue(queues[0].name);
    const own: IQueueBackend = queue.getBackend();
    const siblings = queues.map(({ name }) => ({ name, bullmq: own.forQueue(name) }));
    return { siblings, close };
  });

  async function readAll(): Promise<QueueReading[]> {
    const readings: QueueReading[] = [];
    // One after another: PostgreSQL would need a connection for each of those that are asked at once.
    for (const { name, bullmq } of (await opened.get()).siblings) readings.push(await readOne(name, bullmq));
    return readings;
  }

  return {
    async read() {
      const what = "read the queues";
      try {
        return await withDeadline(readAll(), DEADLINE_MS, () =>
          queueUnavailable(what, `no answer within ${DEADLINE_MS} ms`),
        );
      } catch (error) {
        throw toQueueUnavailable(what, error);
      }
    },
    close: () => opened.close(),
  };
}

async function readOne(queue: string, bullmq: IQueueBackend): Promise<QueueReading> {
  const [waiting = 0, active = 0, delayed = 0, failed = 0] = await bullmq.getCounts([...STATES]);
  const addedAt = await findOldestAddedAt(bullmq);
  return {
    queue,
    depth: { waiting, active, delayed, failed },
    oldestJobAgeMs: addedAt === null ? null : Math.max(Date.now() - addedAt, 0),
  };
}
