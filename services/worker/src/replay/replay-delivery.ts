/** Runs a stored delivery again through the present rules (`sluice replay`). */
import type { DeliveryFailure } from "@sluice/store/deliveries";

import { decideAgain, type ReplayOptions } from "./decide-again.ts";
import { matchEvents } from "./match-events.ts";
import { recordAgain } from "./record-again.ts";
import { findRecording, refusal, type Recording } from "./recording.ts";
import type { ReplayReport } from "./replay-report.ts";

/**
 * Reads a delivery's bytes again. Where they tell the events that were recorded, those are decided again, against the
 * present targets, and with Bitbucket asked again. Where the delivery had given no event that was acted on, it is recorded
 * as if it came now. Without `apply` nothing of that is written; that Bitbucket was asked counts against the budget.
 * @throws AppError `delivery_unknown`, `delivery_body_gone`, `event_undecided`, `delivery_read_otherwise`,
 * `delivery_changed`, `pull_request_behind`, and what asking Bitbucket throws.
 */
export async function replayDelivery(deliveryId: string, options: ReplayOptions): Promise<ReplayReport> {
  const recording = await findRecording(options.store, deliveryId);
  const { delivery, read, recorded } = recording;
  const hasActed = recorded.some(({ kind }) => kind !== "unsupported");
  if (read.failure !== null && !hasActed) return unreadable(deliveryId, read.failure);
  const events = read.failure === null ? matchEvents(delivery, recorded, read.events) : null;
  if (events !== null) return decideAgain(events, recording, options);
  if (hasActed) throw readOtherwise(recording);
  return recordAgain(recording, options);
}

function unreadable(deliveryId: string, failure: DeliveryFailure): ReplayReport {
  return { deliveryId, failure, hasChanges: false, isApplied: false, events: [], otherTriggers: [] };
}

/** Its events moved branches and pull requests, which cannot be taken back. */
function readOtherwise({ delivery, read: { failure } }: Recording): Error {
  const how =
    failure === null ? "gives other events" : `cannot be read (${failure.code}: ${failure.message})`;
  return refusal(
    "delivery_read_otherwise",
    `delivery ${delivery.id} ${how} by the present rules, and what it gave before has moved branches since: it cannot be replayed`,
  );
}
