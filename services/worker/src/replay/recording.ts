/** What is kept of a delivery that is to be replayed. */
import { AppError } from "@sluice/domain/app-error";
import type { RawDelivery } from "@sluice/queue/delivery-codec";
import type { Database, Store } from "@sluice/store/client";
import { findDeliveryBody } from "@sluice/store/delivery-bodies";
import {
  findRecordedDelivery,
  listRecordedEvents,
  type RecordedDelivery,
  type RecordedEvent,
} from "@sluice/store/replayed-deliveries";

import { readDelivery, type ReadDelivery } from "../record/read-delivery.ts";

/** A delivery, its bytes as they are read by the present rules, and its events as they are recorded. */
export interface Recording {
  readonly delivery: RecordedDelivery;
  readonly read: ReadDelivery;
  readonly recorded: readonly RecordedEvent[];
}

/** @throws AppError `delivery_unknown`, `delivery_body_gone`, and `event_undecided` while one of its events is. */
export async function findRecording(store: Store, deliveryId: string): Promise<Recording> {
  const delivery = await findRecordedDelivery(store, deliveryId);
  if (delivery === null) {
    throw refusal("delivery_unknown", `there is no delivery ${deliveryId} (any more)`);
  }
  const body = await findDeliveryBody(store, deliveryId);
  if (body === null) {
    throw refusal(
      "delivery_body_gone",
      `the bytes of delivery ${deliveryId} are gone, and without them it cannot be replayed: they are kept for SLUICE_RETENTION_RAW_DAYS (30 unless set). \`sluice explain ${deliveryId}\` still tells what became of it`,
    );
  }
  const recorded = await listRecordedEvents(store, deliveryId);
  const undecided = recorded.find(({ isDecided }) => !isDecided);
  if (undecided !== undefined) {
    throw refusal(
      "event_undecided",
      `it is still being decided: \`sluice explain ${undecided.id}\` tells what this event of delivery ${deliveryId} waits for`,
    );
  }
  return { delivery, read: readDelivery(toRaw(delivery, body)), recorded };
}

/**
 * Refuses to go on where what is recorded of the delivery was changed since it was read. The caller holds the locks.
 * @throws AppError `delivery_changed`.
 */
export async function refuseChanged(tx: Database, { delivery, recorded }: Recording): Promise<void> {
  const now = await listRecordedEvents(tx, delivery.id);
  if (JSON.stringify(now) === JSON.stringify(recorded)) return;
  throw refusal(
    "delivery_changed",
    `delivery ${delivery.id} was changed meanwhile, by another replay or by a push that came before it: run this again`,
  );
}

/** An error that the same attempt would meet again. */
export function refusal(code: string, message: string): AppError {
  return new AppError(code, message, { retry: "never" });
}

function toRaw(
  { source, ...delivery }: RecordedDelivery,
  { headers, body }: Pick<RawDelivery, "headers" | "body">,
): RawDelivery {
  return { ...delivery, headers, body, ...(source === "sweep" ? { source } : {}) };
}
