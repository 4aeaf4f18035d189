import type { Target } from "@sluice/domain/target";
import type { Database } from "@sluice/store/client";
import type { PendingEvent } from "@sluice/store/events";
import { listTargetsByRepository } from "@sluice/store/targets";

import { decideEvent, needsBitbucket, type DecidedEvent } from "../decide-event.ts";
import { writeDecided } from "../write/write-decided.ts";
import type { ReadDelivery } from "./read-delivery.ts";
import { writeDeliveries } from "./write-deliveries.ts";

/** An event that was decided, and how many triggers it made. */
export interface WrittenDecision {
  readonly decided: DecidedEvent;
  readonly triggers: number;
}

/** What a transaction made of its deliveries. */
export interface RecordedDeliveries {
  readonly decisions: readonly WrittenDecision[];
  /** Events that Bitbucket has to be asked about: each gets a job of its own, so that one that waits holds up nobody. */
  readonly waiting: readonly PendingEvent[];
}

/**
 * Writes deliveries, and decides at once what needs nothing from Bitbucket: the locks are held, the events are new, and
 * one commit serves both.
 */
export async function recordAndDecide(
  tx: Database,
  deliveries: readonly ReadDelivery[],
): Promise<RecordedDeliveries> {
  const pending = await writeDeliveries(tx, deliveries);
  if (pending.length === 0) return { decisions: [], waiting: [] };
  const targets = await listTargetsByRepository(tx, [
    ...new Set(pending.flatMap(({ repositoryId }) => repositoryId ?? [])),
  ]);
  const targetsOf = ({ repositoryId }: PendingEvent): readonly Target[] =>
    repositoryId === null ? [] : (targets.get(repositoryId) ?? []);
  const waiting = pending.filter((event) => needsBitbucket(event, targetsOf(event)));
  const decided = pending
    .filter((event) => !needsBitbucket(event, targetsOf(event)))
    .map((event) =>
      decideEvent({
        pending: event,
        targets: targetsOf(event),
        files: new Map(),
        commitSha: event.event.kind === "push" ? event.event.newSha : null,
      }),
    );
  const triggers = decided.length > 0 ? await writeDecided(tx, decided) : [];
  const decisions = decided.map((each, place) => ({ decided: each, triggers: triggers[place] ?? 0 }));
  return { decisions, waiting };
}
