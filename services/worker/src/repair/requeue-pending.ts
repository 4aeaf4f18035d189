import type { Store } from "@sluice/store/client";
import { listStalePendingEvents } from "@sluice/store/pending-events";
import type { Logger } from "@sluice/runtime/logger";

/** Younger ones have a job on its way. */
const PENDING_FOR_MS = 60_000;
const PAGE = 1_000;
const FIRST_ID = "00000000-0000-0000-0000-000000000000";

/**
 * Gives every event that is recorded but not decided a job again. Queues carry work, Postgres holds truth: a queue that
 * was lost loses nothing that was recorded. An event that has a job keeps it, since the job's id is the event's.
 */
export async function requeuePendingEvents(input: {
  readonly store: Store;
  readonly logger: Logger;
  readonly enqueueEvents: (events: readonly { readonly id: string }[]) => Promise<void>;
}): Promise<void> {
  let pending = 0;
  for (let afterId = FIRST_ID; ;) {
    const page = await listStalePendingEvents(input.store, {
      olderThanMs: PENDING_FOR_MS,
      afterId,
      limit: PAGE,
    });
    if (page.length > 0) await input.enqueueEvents(page);
    pending += page.length;
    if (page.length < PAGE) break;
    afterId = page.at(-1)?.id ?? afterId;
  }
  if (pending > 0) input.logger.info({ events: pending }, "events.still_pending");
}
