import type { Store } from "@sluice/store/client";
import { listStalePendingEvents } from "@sluice/store/events";
import type { Logger } from "@sluice/runtime/logger";

/** Younger ones have a job on its way. */
const PENDING_FOR_MS = 60_000;
const BATCH = 1_000;

/**
 * Gives every event that is recorded but not decided a job again. Queues carry work, Postgres holds truth: a queue that
 * was lost loses nothing that was recorded. An event that has a job keeps it, since the job's id is the event's.
 */
export async function requeuePendingEvents(input: {
  readonly store: Store;
  readonly logger: Logger;
  readonly enqueueEvents: (
    events: readonly { readonly id: string; readonly requestId: string }[],
  ) => Promise<void>;
}): Promise<void> {
  const stale = await listStalePendingEvents(input.store, PENDING_FOR_MS, BATCH);
  if (stale.length === 0) return;
  await input.enqueueEvents(stale);
  input.logger.info({ events: stale.length }, "events.requeued");
}
