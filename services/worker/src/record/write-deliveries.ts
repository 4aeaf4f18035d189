import type { Database } from "@sluice/store/client";
import { insertDeliveries, type DeliveryRow } from "@sluice/store/deliveries";
import {
  drawEventSequences,
  insertEvents,
  listPendingEventsOfDeliveries,
  type NewEvent,
  type PendingEvent,
} from "@sluice/store/events";
import { lockSeenRepositories, repositoryKey } from "@sluice/store/repositories";

import { moveBranches } from "./move-branches.ts";
import type { ReadDelivery } from "./read-delivery.ts";

/**
 * Writes deliveries with their events and moves the branches that they moved, in the transaction given. A delivery that
 * is recorded already changes nothing.
 * @returns every event of these deliveries that has no decisions yet, also of those recorded before: whoever recorded
 * them may have died before it could pass them on.
 */
export async function writeDeliveries(
  tx: Database,
  deliveries: readonly ReadDelivery[],
): Promise<PendingEvent[]> {
  const newIds = await insertDeliveries(tx, deliveries.map(toDeliveryRow));
  const known = deliveries.flatMap(({ raw }) => (newIds.has(raw.id) ? [] : [raw.id]));
  const pendingOfKnown = known.length > 0 ? await listPendingEventsOfDeliveries(tx, known) : [];
  const events = deliveries
    .filter((delivery, place) => newIds.has(delivery.raw.id) && isFirst(deliveries, place))
    .flatMap(({ raw, events: found }) => found.map((event, index) => ({ raw, event, index })));
  if (events.length === 0) return pendingOfKnown;
  const repositoryIds = await lockRepositoriesOf(tx, events);
  const sequences = await drawEventSequences(tx, events.length);
  const numbered = events.map(({ raw, event, index }, place): NewEvent => {
    const { id: deliveryId, integrationId, requestId, eventKey, receivedAt } = raw;
    const key = event.kind === "push" ? repositoryKey({ integrationId, uuid: event.repository.uuid }) : null;
    return {
      deliveryId,
      requestId,
      integrationId,
      index,
      sequence: sequences[place] ?? 0,
      eventKey,
      event,
      repositoryId: key === null ? null : (repositoryIds.get(key) ?? null),
      branchArrival: null,
      receivedAt,
    };
  });
  return [...pendingOfKnown, ...(await insertEvents(tx, await moveBranches(tx, numbered)))];
}

/** The same request may be in one batch twice; its first place counts. */
function isFirst(deliveries: readonly ReadDelivery[], place: number): boolean {
  const id = deliveries[place]?.raw.id;
  return deliveries.findIndex(({ raw }) => raw.id === id) === place;
}

function toDeliveryRow({ raw, events, failure }: ReadDelivery): DeliveryRow {
  return { ...raw, outcome: outcomeOf(events, failure), failure };
}

function outcomeOf(events: ReadDelivery["events"], failure: ReadDelivery["failure"]): DeliveryRow["outcome"] {
  if (failure !== null) return "failed";
  if (events.length === 0) return "no_events";
  return events.some((event) => event.kind !== "unsupported") ? "events" : "unsupported";
}

function lockRepositoriesOf(
  tx: Database,
  events: readonly { readonly raw: ReadDelivery["raw"]; readonly event: NewEvent["event"] }[],
): Promise<ReadonlyMap<string, string>> {
  const seen = events.flatMap(({ raw, event }) =>
    event.kind === "push" ? [{ integrationId: raw.integrationId, ...event.repository }] : [],
  );
  return seen.length === 0 ? Promise.resolve(new Map()) : lockSeenRepositories(tx, seen);
}
