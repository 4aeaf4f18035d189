import { AppError } from "@sluice/domain/app-error";
import { createGroupCommit } from "@sluice/queue/group-commit";
import type { RawDelivery } from "@sluice/queue/delivery-codec";
import type { Store } from "@sluice/store/client";
import { isTransientDatabaseError } from "@sluice/store/database-error";
import { withTransaction } from "@sluice/store/transaction";
import type { Logger } from "@sluice/runtime/logger";

import { readDelivery, type ReadDelivery } from "./read-delivery.ts";
import { recordAndDecide, type RecordedDeliveries } from "./record-and-decide.ts";
import { setAside } from "./set-aside.ts";
import { writeDeliveries } from "./write-deliveries.ts";

export interface RecorderOptions {
  readonly store: Store;
  readonly logger: Logger;
  /** Of an event that would make more, none is made (rule 30). */
  readonly maxTriggersPerEvent: number;
  /** Queues one delivery in a job of its own. */
  readonly requeue: (delivery: RawDelivery) => Promise<void>;
  /** Gives jobs to events that are to be decided anew. */
  readonly enqueueRecovered: (ids: readonly string[]) => Promise<void>;
}

export interface Recorder {
  /**
   * Records the deliveries of one job, each once, and decides what needs nothing from Bitbucket. Resolves when all of it
   * is committed, and what the database refuses is passed on in jobs of its own.
   * @throws AppError `delivery_refused` when the job's only delivery can be kept in no form: the job is kept instead.
   */
  record(deliveries: readonly RawDelivery[]): Promise<RecordedDeliveries>;
  drain(): Promise<void>;
}

/** What became of deliveries: of a transaction's, or of one job's. */
interface Written extends RecordedDeliveries {
  readonly refused: readonly RawDelivery[];
}

/** Jobs of one transaction: many small ones, or a few full ones, as `MAX_BYTES_PER_COMMIT` allows. */
const MAX_JOBS_PER_COMMIT = 50;
const MAX_BYTES_PER_COMMIT = 4 * 1024 * 1024;

/**
 * Jobs that come while a transaction is under way share the next ones, those whose deliveries were received earlier first: a
 * queue on Postgres hands out neighbours in any order, and each push that comes before the one it goes on from waits.
 * One transaction at a time keeps that order.
 */
export function createRecorder(options: RecorderOptions): Recorder {
  const commits = createGroupCommit<readonly ReadDelivery[], Written>({
    maxItems: MAX_JOBS_PER_COMMIT,
    maxWeight: MAX_BYTES_PER_COMMIT,
    weightOf: (job) => job.reduce((bytes, { raw }) => bytes + raw.body.byteLength, 0),
    orderOf: ([first]) => (first === undefined ? 0 : Date.parse(first.raw.receivedAt)),
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
          { retry: "backoff" },
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
): Promise<Written[]> {
  const written = await writeOrSplit(jobs.flat(), options);
  if (written.recoveredIds.length > 0) await options.enqueueRecovered(written.recoveredIds);
  const decisions = groupByDelivery(written.decisions, ({ decided }) => decided.pending.deliveryId);
  const waiting = groupByDelivery(written.waiting, ({ deliveryId }) => deliveryId);
  const refused = groupByDelivery(written.refused, ({ id }) => id);
  const shares = jobs.map((job) => ({
    // What two jobs carry is passed on by the first.
    decisions: job.flatMap(({ raw }) => take(decisions, raw.id)),
    waiting: job.flatMap(({ raw }) => take(waiting, raw.id)),
    refused: job.flatMap(({ raw }) => take(refused, raw.id)),
    recoveredIds: [],
  }));
  // Those of earlier deliveries belong to no job: the first one passes them on.
  const rest = [...decisions.values()].flat();
  return shares.map((share, place) =>
    place === 0 ? { ...share, decisions: [...rest, ...share.decisions] } : share,
  );
}

function groupByDelivery<T>(all: readonly T[], deliveryIdOf: (one: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const one of all) {
    const group = groups.get(deliveryIdOf(one));
    if (group === undefined) groups.set(deliveryIdOf(one), [one]);
    else group.push(one);
  }
  return groups;
}

function take<T>(groups: Map<string, T[]>, deliveryId: string): T[] {
  const group = groups.get(deliveryId) ?? [];
  groups.delete(deliveryId);
  return group;
}

/** All together; where the database refuses that, in halves, until the one that it refuses is alone. */
async function writeOrSplit(deliveries: readonly ReadDelivery[], options: RecorderOptions): Promise<Written> {
  try {
    const recorded = await withTransaction(options.store, (tx) => recordAndDecide(tx, deliveries, options));
    return { ...recorded, refused: [] };
  } catch (error) {
    if (isTransientDatabaseError(error)) throw error;
    const [only] = deliveries;
    if (only === undefined) throw error;
    if (deliveries.length === 1) return writeAlone(only, options);
    const middle = Math.ceil(deliveries.length / 2);
    const first = await writeOrSplit(deliveries.slice(0, middle), options);
    const second = await writeOrSplit(deliveries.slice(middle), options);
    return {
      decisions: [...first.decisions, ...second.decisions],
      waiting: [...first.waiting, ...second.waiting],
      recoveredIds: [...first.recoveredIds, ...second.recoveredIds],
      refused: [...first.refused, ...second.refused],
    };
  }
}

/** Without its decisions, which then get a job of their own; where even that is refused, set aside. */
async function writeAlone(delivery: ReadDelivery, options: RecorderOptions): Promise<Written> {
  try {
    const recorded = await withTransaction(options.store, (tx) => writeDeliveries(tx, [delivery]));
    return { ...recorded, refused: [] };
  } catch (error) {
    if (isTransientDatabaseError(error)) throw error;
    const kept = await setAside(delivery, error, options);
    return { decisions: [], waiting: [], recoveredIds: [], refused: kept === "kept" ? [] : [delivery.raw] };
  }
}
