/** What a replay makes of a delivery, read within its transaction. */
import type { Database } from "@sluice/store/client";
import type { DeliveryFailure } from "@sluice/store/deliveries";
import { findDeliveryReport, type EventReport } from "@sluice/store/delivery-reports";
import { explainEvents, type EventExplanation } from "@sluice/store/event-explanations";
import { listOpenTriggers, type OpenTrigger } from "@sluice/store/replayed-deliveries";
import { listTriggerStandings, type TriggerStanding } from "@sluice/store/trigger-standings";

import {
  compareDecisions,
  compareTriggers,
  type DecisionChange,
  type TriggerChange,
} from "./compare-decisions.ts";
import type { OutlivedDecision } from "./plan-replay.ts";

/** What a replay found, or did. */
export interface ReplayReport {
  readonly deliveryId: string;
  /** Why the delivery cannot be read; null: it can. */
  readonly failure: DeliveryFailure | null;
  /** Whether anything is otherwise than before. */
  readonly hasChanges: boolean;
  /** Whether that was written. */
  readonly isApplied: boolean;
  readonly events: readonly ReplayedEvent[];
  /** Triggers of other deliveries that it changes. */
  readonly otherTriggers: readonly TriggerChange[];
}

/** An event of the delivery, and what the replay makes of it. */
export interface ReplayedEvent extends Pick<EventExplanation, "delivery" | "event"> {
  /** The delivery did not give it before. */
  readonly isNew: boolean;
  /** Bitbucket has to be asked about it, which a worker does: its decisions come later. */
  readonly isWaiting: boolean;
  readonly changes: readonly DecisionChange[];
}

/** What a delivery has come to, and the open triggers of the repositories that it concerns. */
export interface Outcome {
  readonly events: readonly EventReport[];
  readonly open: readonly OpenTrigger[];
}

/** Also what the transaction itself has not committed. */
export async function readOutcome(
  tx: Database,
  deliveryId: string,
  repositoryIds: readonly string[],
): Promise<Outcome> {
  const report = await findDeliveryReport(tx, deliveryId, { kind: "everywhere" });
  return { events: report?.events ?? [], open: await listOpenTriggers(tx, repositoryIds) };
}

/** Where the triggers of decisions stand, by id. */
export function findTriggers(
  tx: Database,
  events: readonly EventReport[],
): Promise<ReadonlyMap<string, TriggerStanding>> {
  return listTriggerStandings(tx, [...new Set(events.flatMap(triggerIdsOf))]);
}

/** Compares what a delivery had come to with what it comes to in this transaction. */
export async function reportReplay(
  tx: Database,
  found: {
    readonly deliveryId: string;
    readonly before: Outcome;
    readonly after: Outcome;
    /** By event id. */
    readonly outlived: ReadonlyMap<string, readonly OutlivedDecision[]>;
    /** Ids of events that wait for Bitbucket. */
    readonly waiting: ReadonlySet<string>;
  },
): Promise<ReplayReport> {
  const { deliveryId, before, after, outlived, waiting } = found;
  const all = [...before.events, ...after.events];
  const triggers = await findTriggers(tx, all);
  const names = await nameEvents(tx, deliveryId, after.events);
  const earlier = new Map(before.events.map((event) => [event.id, event.decisions]));
  const events = after.events.flatMap(({ id, decisions }) => {
    const name = names.get(id);
    if (name === undefined) return [];
    const changes = compareDecisions({
      before: earlier.get(id) ?? [],
      after: decisions,
      outlived: outlived.get(id) ?? [],
      triggers,
    });
    return [{ ...name, isNew: !earlier.has(id), isWaiting: waiting.has(id), changes }];
  });
  const otherTriggers = compareTriggers(before.open, after.open, new Set(all.flatMap(triggerIdsOf)));
  const hasChanges =
    otherTriggers.length > 0 || events.some(({ isNew, changes }) => isNew || changes.some(isChange));
  return { deliveryId, failure: null, hasChanges, isApplied: false, events, otherTriggers };
}

function isChange({ kind }: DecisionChange): boolean {
  return kind !== "unchanged" && kind !== "outlived";
}

function triggerIdsOf({ decisions }: EventReport): string[] {
  return decisions.flatMap(({ triggerId }) => triggerId ?? []);
}

async function nameEvents(
  tx: Database,
  deliveryId: string,
  events: readonly EventReport[],
): Promise<ReadonlyMap<string, Pick<EventExplanation, "delivery" | "event">>> {
  const referred = events.map(({ id }) => ({ deliveryId, eventId: id, triggerId: null }));
  const named = await explainEvents(tx, referred, { kind: "targets", ids: [] });
  return new Map(
    named.flatMap(({ delivery, event }) => (event === null ? [] : [[event.id, { delivery, event }]])),
  );
}
