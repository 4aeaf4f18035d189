import type { Target } from "@sluice/domain/target";
import type { PendingEvent } from "@sluice/store/events";

import { decideEvent, needsBitbucket, type DecidedEvent } from "../decide-event.ts";
import type { RecordedJob } from "./record-deliveries.ts";

export interface PassOnOptions {
  readonly decideNow: (decided: DecidedEvent) => Promise<void>;
  /** Queues a job for each event. */
  readonly enqueueEvents: (events: readonly PendingEvent[]) => Promise<void>;
}

/**
 * Passes recorded events on: those that need nothing from Bitbucket are decided at once, each of the others gets a job
 * of its own, so that one that waits for Bitbucket holds up nobody.
 */
export async function passOnEvents(
  { pending: events, targets }: RecordedJob,
  options: PassOnOptions,
): Promise<void> {
  if (events.length === 0) return;
  const targetsOf = (event: PendingEvent): readonly Target[] =>
    event.repositoryId === null ? [] : (targets.get(event.repositoryId) ?? []);
  const waiting = events.filter((event) => needsBitbucket(event, targetsOf(event)));
  const atOnce = events.filter((event) => !waiting.includes(event));
  const [enqueued, ...written] = await Promise.allSettled([
    waiting.length > 0 ? options.enqueueEvents(waiting) : undefined,
    ...atOnce.map((event) =>
      options.decideNow(
        decideEvent({
          pending: event,
          targets: targetsOf(event),
          files: new Map(),
          commitSha: event.event.kind === "push" ? event.event.newSha : null,
        }),
      ),
    ),
  ]);
  if (enqueued.status === "rejected") throw enqueued.reason;
  // One that could not be written gets a job too: it is tried again alone, and its neighbours are done.
  const failed = atOnce.filter((_, place) => written[place]?.status === "rejected");
  if (failed.length > 0) await options.enqueueEvents(failed);
}
