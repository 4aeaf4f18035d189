import { AppError } from "@sluice/domain/app-error";
import type { Target } from "@sluice/domain/target";
import { createGroupCommit } from "@sluice/queue/group-commit";
import type { RawDelivery } from "@sluice/queue/delivery-codec";
import type { Store } from "@sluice/store/client";
import { isTransientDatabaseError } from "@sluice/store/database-error";
import type { PendingEvent } from "@sluice/store/events";
import { listTargetsByRepository } from "@sluice/store/targets";
import { withTransaction } from "@sluice/store/transaction";
import type { Logger } from "@sluice/runtime/logger";

import { readDelivery, type ReadDelivery } from "./read-delivery.ts";
import { setAside } from "./set-aside.ts";
import { writeDeliveries } from "./write-deliveries.ts";

export interface RecorderOptions {
  readonly store: Store;
  readonly logger: Logger;
  /** Queues one delivery in a job of its own. */
  readonly requeue: (delivery: RawDelivery) => Promise<void>;
}

export interface Recorder {
  /**
   * Records the deliveries of one job, each once, and returns their events that wait for decisions. Resolves when all of
   * them are committed or passed on in jobs of their own.
   * @throws AppError `delivery_refused` when the job's only delivery can be kept in no form: the job is kept instead.
   */
  record(deliveries: readonly RawDelivery[]): Promise<RecordedJob>;
  drain(): Promise<void>;
}

/** The events of a job that wait for decisions, and the targets of their repositories, by repository id. */
export interface RecordedJob {
  readonly pending: readonly PendingEvent[];
  readonly targets: ReadonlyMap<string, readonly Target[]>;
}

/** What became of deliveries: of a transaction's, or of one job's. */
interface Written {
  readonly pending: readonly PendingEvent[];
  readonly refused: readonly RawDelivery[];
}

type JobOutcome = Written & RecordedJob;

/** Jobs of one transaction: many small ones, or a few full ones, as `MAX_BYTES_PER_COMMIT` allows. */
const MAX_JOBS_PER_COMMIT = 50;
const MAX_BYTES_PER_COMMIT = 4 * 1024 * 1024;

/**
 * Jobs that come while a transaction is under way share the next one. One transaction at a time keeps the order in
 * which the jobs were taken.
 */
export function createRecorder(options: RecorderOptions): Recorder {
  const commits = createGroupCommit<readonly ReadDelivery[], JobOutcome>({
    maxItems: MAX_JOBS_PER_COMMIT,
    maxBytes: MAX_BYTES_PER_COMMIT,
    sizeOf: (job) => job.reduce((bytes, { raw }) => bytes + raw.body.byteLength, 0),
    commit: (jobs) => commitJobs(jobs, options),
  });
  return {
    async record(deliveries) {
      const read = deliveries.map(readDelivery);
      const { refused, ...recorded } = await commits.add(read);
      for (const { raw, failure } of read) {
        if (failure === null) continue;
        const { id: deliveryId, requestId, eventKey } = raw;
        options.logger.warn({ deliveryId, requestId, eventKey, ...failure }, "delivery.failed");
      }
      if (refused.length > 0 && deliveries.length === 1) {
        throw new AppError(
          "delivery_refused",
          "the delivery can be kept in no form; see delivery.refused in the log",
          {
            retry: "never",
          },
        );
      }
      await Promise.all(refused.map(options.requeue));
      return recorded;
    },
    drain: () => commits.drain(),
  };
}

async function commitJobs(
  jobs: readonly (readonly ReadDelivery[])[],
  options: RecorderOptions,
): Promise<JobOutcome[]> {
  const written = await writeOrSplit(jobs.flat(), options);
  const repositoryIds = [...new Set(written.pending.flatMap(({ repositoryId }) => repositoryId ?? []))];
  const targets = await listTargetsByRepository(options.store, repositoryIds);
  const refused = new Set(written.refused.map(({ id }) => id));
  const pending = new Map<string, PendingEvent[]>();
  for (const event of written.pending) {
    const events = pending.get(event.deliveryId);
    if (events === undefined) pending.set(event.deliveryId, [event]);
    else events.push(event);
  }
  return jobs.map((job) => {
    const raws = job.map(({ raw }) => raw);
    return {
      // A request that two jobs carry is passed on by the first.
      pending: raws.flatMap(({ id }) => take(pending, id)),
      refused: raws.filter(({ id }) => refused.has(id)),
      targets,
    };
  });
}

function take(pending: Map<string, PendingEvent[]>, deliveryId: string): PendingEvent[] {
  const events = pending.get(deliveryId) ?? [];
  pending.delete(deliveryId);
  return events;
}

/** All together; where the database refuses that, in halves, until the one that it refuses is alone and set aside. */
async function writeOrSplit(deliveries: readonly ReadDelivery[], options: RecorderOptions): Promise<Written> {
  try {
    const pending = await withTransaction(options.store, (tx) => writeDeliveries(tx, deliveries));
    return { pending, refused: [] };
  } catch (error) {
    if (isTransientDatabaseError(error)) throw error;
    const [only] = deliveries;
    if (only === undefined) throw error;
    if (deliveries.length === 1) {
      const kept = await setAside(only, error, options);
      return { pending: [], refused: kept === "kept" ? [] : [only.raw] };
    }
    const middle = Math.ceil(deliveries.length / 2);
    const first = await writeOrSplit(deliveries.slice(0, middle), options);
    const second = await writeOrSplit(deliveries.slice(middle), options);
    return {
      pending: [...first.pending, ...second.pending],
      refused: [...first.refused, ...second.refused],
    };
  }
}
