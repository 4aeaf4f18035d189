/** The queues, what a job of each carries, and how long it is tried and kept: decided here and nowhere else. */
import { AppError } from "@sluice/domain/app-error";
import { z } from "zod";
import { deliveriesPayload, type DeliveriesPayload } from "./delivery-codec.ts";
import type { RetryPolicy } from "./retry-delay.ts";

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** One queue. `Payload` is what its jobs carry. */
export interface QueueDefinition<Payload> {
  readonly name: string;
  /** Of the payload that this release writes. A change that an older release would misread raises it. */
  readonly version: number;
  readonly payload: z.ZodType<Payload>;
  readonly retry: RetryPolicy;
  /** Completed jobs, for the dashboard. A job id is refused as a duplicate only while its job is kept. */
  readonly keepCompleted: { readonly forMs: number; readonly atMost: number };
  readonly keepFailedForMs: number;
}

const eventPayload = z.strictObject({
  v: z.literal(1),
  eventId: z.uuid(),
  /** Of the HTTP request that brought the event, to find its lines in the log. Absent = given a job again by the repair. */
  requestId: z.string().exactOptional(),
});

/** A job of the queue `events`. */
export type EventPayload = z.infer<typeof eventPayload>;

/**
 * Verified deliveries, 1..100 a job, as they came. Until a job is done it is the only copy, so it is tried for more
 * than an hour, and kept for two weeks after that.
 */
export const deliveriesQueue: QueueDefinition<DeliveriesPayload> = {
  name: "deliveries",
  version: 1,
  payload: deliveriesPayload,
  retry: { attempts: 25, firstDelayMs: SECOND_MS, maxDelayMs: 5 * MINUTE_MS },
  // Fewer than elsewhere: each holds up to a hundred bodies, which are in Postgres by then.
  keepCompleted: { forMs: HOUR_MS, atMost: 100 },
  keepFailedForMs: 14 * DAY_MS,
};

/** Recorded events that wait for what only Bitbucket knows. The event's id is the job's too. */
export const eventsQueue: QueueDefinition<EventPayload> = {
  name: "events",
  version: 1,
  payload: eventPayload,
  retry: { attempts: 25, firstDelayMs: SECOND_MS, maxDelayMs: 5 * MINUTE_MS },
  keepCompleted: { forMs: HOUR_MS, atMost: 1_000 },
  keepFailedForMs: 14 * DAY_MS,
};

/** Every queue, for the dashboard and the metrics. */
export const allQueues = [deliveriesQueue, eventsQueue] as const;

/**
 * What the job carries. @throws AppError never to be retried by this release: `job_version_unknown` for a payload of
 * another release, `job_malformed` for one that no release has written.
 */
export function parsePayload<Payload>(definition: QueueDefinition<Payload>, data: unknown): Payload {
  const { name, version } = definition;
  const written = z.looseObject({ v: z.int() }).safeParse(data);
  if (written.success && written.data.v !== version) {
    throw new AppError(
      "job_version_unknown",
      `This job of ${name} has version ${written.data.v} and this release reads version ${version}: retry the job with the release that wrote it, or a newer one`,
      { retry: "never" },
    );
  }
  const parsed = definition.payload.safeParse(data);
  if (parsed.success) return parsed.data;
  // Names only: a value may be a secret.
  const members = parsed.error.issues.map(({ path }) => path.join(".") || "(all of it)").join(", ");
  throw new AppError(
    "job_malformed",
    `This job of ${name} does not have the shape of version ${version}: ${members}`,
    {
      retry: "never",
      cause: parsed.error,
    },
  );
}
