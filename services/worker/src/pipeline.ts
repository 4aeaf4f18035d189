import { AppError } from "@sluice/domain/app-error";
import { decodeDeliveries, encodeDeliveries, type DeliveriesPayload } from "@sluice/queue/delivery-codec";
import type { JobHandler } from "@sluice/queue/consumer";
import type { Producer } from "@sluice/queue/producer";
import type { EventPayload } from "@sluice/queue/queues";
import type { Logger } from "@sluice/runtime/logger";
import type { Store } from "@sluice/store/client";
import { isTransientDatabaseError } from "@sluice/store/database-error";
import { findPendingEvent, type PendingEvent } from "@sluice/store/pending-events";
import { listTargetsByRepository } from "@sluice/store/targets";
import type { BitbucketClient } from "@sluice/bitbucket/client";

import { limitEvent } from "./decide-event.ts";
import { createDecisionWriter } from "./write/decision-writer.ts";
import type { WrittenDecision } from "./record/record-and-decide.ts";
import { createRecorder } from "./record/record-deliveries.ts";
import { resolveEvent } from "./resolve/resolve-event.ts";
import { GAP_GRACE_MS } from "./resolve/settle-branch.ts";

const POSTGRES_WAIT_MS = 2_000;

export interface PipelineOptions {
  readonly store: Store;
  readonly logger: Logger;
  readonly deliveries: Producer<DeliveriesPayload>;
  readonly events: Producer<EventPayload>;
  readonly clientOf: (integrationId: string) => Promise<BitbucketClient>;
  /** From the receipt of a delivery to the commit of a trigger that it made. */
  readonly observeLatencyMs: (latencyMs: number) => void;
  /** Of an event that would make more, none is made (rule 30). */
  readonly maxTriggersPerEvent: number;
}

/** An event that gets a job, and the request that brought it, where that is known. */
type QueuedEvent = Pick<PendingEvent, "id"> &
  Partial<Pick<PendingEvent, "requestId" | "isPlaced">> & {
    /** It had a job before, which may still be kept, and would be taken for this one. */
    readonly isAnew?: boolean;
  };

/** The way of a delivery through the worker: record, then (where Bitbucket has to be asked) resolve, decide, write. */
export interface Pipeline {
  readonly handleDeliveries: JobHandler<DeliveriesPayload>;
  readonly handleEvent: JobHandler<EventPayload>;
  /** Gives each event a job; one that has a job keeps it. */
  enqueueEvents(events: readonly QueuedEvent[]): Promise<void>;
  /** Resolves when nothing waits to be written. */
  drain(): Promise<void>;
}

/** Every id that a job of an event may have. */
export function jobIdsOf(eventId: string): readonly [first: string, anew: string] {
  return [eventId, `${eventId}-anew`];
}

export function createPipeline(options: PipelineOptions): Pipeline {
  const { store, logger, maxTriggersPerEvent } = options;
  const writer = createDecisionWriter(store);
  const recorder = createRecorder({
    store,
    logger,
    maxTriggersPerEvent,
    requeue: async (delivery) => {
      await options.deliveries.add(await encodeDeliveries([delivery]));
    },
    enqueueRecovered,
  });

  const inOrderOfTaking = createTurns();

  function enqueueRecovered(ids: readonly string[]): Promise<void> {
    return enqueueEvents(ids.map((id) => ({ id, isAnew: true })));
  }

  async function enqueueEvents(events: readonly QueuedEvent[]): Promise<void> {
    await options.events.addMany(
      events.map(({ id, requestId, isPlaced = true, isAnew = false }) => ({
        payload: { v: 1, eventId: id, ...(requestId === undefined ? {} : { requestId }) },
        jobId: isAnew ? jobIdsOf(id)[1] : id,
        ...(isPlaced ? {} : { delayMs: GAP_GRACE_MS }),
      })),
    );
  }

  function report({ decided, triggers }: WrittenDecision): void {
    const { id: eventId, deliveryId, requestId, receivedAt, source } = decided.pending;
    const latencyMs = Date.now() - Date.parse(receivedAt);
    for (let made = 0; made < triggers; made += 1) options.observeLatencyMs(latencyMs);
    const targets = decided.decisions.length;
    const recovered = source === "sweep" ? { recoveredBy: source } : {};
    logger.info(
      { deliveryId, requestId, eventId, targets, triggers, latencyMs, ...recovered },
      "event.decided",
    );
  }

  return {
    handleDeliveries: whenPostgresIsThere(async ({ payload, jobId, attempt, enqueuedAt }) => {
      const recorded = await recorder.record(await inOrderOfTaking(decodeDeliveries(payload)));
      if (recorded.waiting.length > 0) await enqueueEvents(recorded.waiting);
      for (const decision of recorded.decisions) report(decision);
      const sinceEnqueuedMs = Date.now() - enqueuedAt.getTime();
      logger.info(
        {
          jobId,
          attempt,
          deliveries: payload.count,
          events: recorded.decisions.length + recorded.waiting.length,
          sinceEnqueuedMs,
        },
        "deliveries.recorded",
      );
    }),
    handleEvent: whenPostgresIsThere(async ({ payload }) => {
      const pending = await findPendingEvent(store, payload.eventId);
      if (pending === null) return;
      const { repositoryId } = pending;
      const targets =
        repositoryId === null
          ? []
          : ((await listTargetsByRepository(store, [repositoryId])).get(repositoryId) ?? []);
      const { clientOf } = options;
      const resolved = await resolveEvent({ pending, targets, store, clientOf, enqueueRecovered });
      if (resolved === null) return;
      const decided = limitEvent(resolved, maxTriggersPerEvent);
      report({ decided, triggers: await writer.write(decided) });
    }),
    enqueueEvents,
    async drain() {
      await recorder.drain();
      await writer.drain();
    },
  };
}

/** Lets promises resolve in the order in which they were passed in: a small job is decoded sooner than a large one. */
function createTurns(): <T>(work: Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return async (work) => {
    const before = last;
    last = Promise.allSettled([before, work]);
    await before;
    return work;
  };
}

/** While Postgres is away nothing is used up: the job waits, however long that lasts. */
function whenPostgresIsThere<Payload>(handle: JobHandler<Payload>): JobHandler<Payload> {
  return async (run) => {
    try {
      await handle(run);
    } catch (cause) {
      if (!isTransientDatabaseError(cause)) throw cause;
      throw new AppError("postgres_unavailable", "Postgres is away or busy; the job waits for it", {
        retry: { afterMs: POSTGRES_WAIT_MS },
        cause,
      });
    }
  };
}
