/** What a replay reads of a delivery, and what it takes back before it is decided or recorded again. */
import type { RunType } from "@sluice/domain/decide";
import type { Event, PullRequestAction, PushEvent } from "@sluice/domain/event";
import type { TriggerState } from "@sluice/domain/trigger";

import type { Database } from "./client.ts";
import type { DeliveryRow } from "./deliveries.ts";
import type { PendingEvent } from "./pending-events.ts";
import { toRfc3339 } from "./rfc3339.ts";

/** A delivery as it was recorded; its bytes are found by `findDeliveryBody`. */
export type RecordedDelivery = Pick<
  DeliveryRow,
  | "id"
  | "integrationId"
  | "requestId"
  | "source"
  | "hookId"
  | "eventKey"
  | "attempt"
  | "secretVersion"
  | "receivedAt"
>;

/** An event as it was recorded, without the facts that the bytes of its delivery tell again. */
export interface RecordedEvent extends Pick<
  PendingEvent,
  "id" | "sequence" | "repositoryId" | "sourceRepositoryId" | "branchArrival"
> {
  readonly index: number;
  readonly kind: Event["kind"];
  readonly eventKey: string;
  /** The repository's name now; null for an event whose body is not read. */
  readonly repositoryName: string | null;
  readonly refKind: PushEvent["refKind"] | null;
  readonly refName: string | null;
  readonly change: PushEvent["change"] | null;
  readonly oldSha: string | null;
  readonly newSha: string | null;
  /** As it was refined when it was recorded (rule 11). */
  readonly action: PullRequestAction | null;
  readonly pullRequestNumber: number | null;
  readonly isDecided: boolean;
}

/** The last line of the history of what a replay canceled, by which another one knows it. */
const CANCELED_NOTE = "replayed: its delivery does not trigger it any more";

/** The first half of the keys of the advisory locks under which a delivery is replayed: `SLRP` in ASCII. */
const REPLAY_LOCK = 0x534c5250;

/** Replays of one delivery take turns: the others wait until the transaction ends. To be taken before every other lock. */
export async function lockReplay(db: Database, deliveryId: string): Promise<void> {
  await db.sql`SELECT pg_advisory_xact_lock(${REPLAY_LOCK}::int, hashtext(${deliveryId}))`;
}

/** @returns null when there is no such delivery. */
export async function findRecordedDelivery(db: Database, id: string): Promise<RecordedDelivery | null> {
  const [row] = await db.sql<RecordedDelivery[]>`
    SELECT id, integration_id, request_id, source, hook_id, event_key, attempt, secret_version, received_at
    FROM sluice.deliveries WHERE id = ${id}`;
  return row === undefined ? null : { ...row, receivedAt: toRfc3339(row.receivedAt) };
}

/** The events of a delivery, in the order of its body. */
export async function listRecordedEvents(db: Database, deliveryId: string): Promise<RecordedEvent[]> {
  return db.sql<RecordedEvent[]>`
    SELECT events.id, index, sequence, kind, event_key, repository_id, source_repository_id, branch_arrival,
           full_name AS repository_name, ref_kind, ref_name, change, old_sha, new_sha, action, pull_request_number,
           decided_at IS NOT NULL AS is_decided
    FROM sluice.events LEFT JOIN sluice.repositories ON repositories.id = repository_id
    WHERE delivery_id = ${deliveryId} ORDER BY index`;
}

/**
 * Takes decisions back, so that their events are undecided until the same transaction decides them again. Triggers stay as
 * they are. The caller holds the locks of the repositories.
 */
export async function takeBackDecisions(
  db: Database,
  {
    eventIds,
    decisionIds,
  }: { readonly eventIds: readonly string[]; readonly decisionIds: readonly string[] },
): Promise<void> {
  if (eventIds.length === 0) return;
  await db.sql`DELETE FROM sluice.decisions WHERE id = ANY(${decisionIds}::uuid[])`;
  await db.sql`UPDATE sluice.events SET decided_at = NULL WHERE id = ANY(${eventIds}::uuid[])`;
}

/**
 * Cancels those of these triggers that no scheduler has ever had, each with a line of history. Like one that a person
 * canceled, it does not come back by what happens to its branch.
 */
export async function cancelReplayedTriggers(
  db: Database,
  { ids, by }: { readonly ids: readonly string[]; readonly by: string },
): Promise<void> {
  if (ids.length === 0) return;
  await db.sql`
    WITH canceled AS (
      UPDATE sluice.triggers
      SET state = 'canceled', cancel_requested = true, updated_at = now(),
          message = 'Canceled by ' || ${by} || ': its delivery was replayed, and does not trigger it any more.'
      WHERE id = ANY(${ids}::uuid[]) AND state IN ('blocked', 'queued') AND attempt = 0
      RETURNING id, state
    )
    INSERT INTO sluice.trigger_history (trigger_id, state, actor, note)
    SELECT id, state, ${by}, ${CANCELED_NOTE} FROM canceled`;
}

/** A run that an event asks for. */
export interface WantedRun {
  readonly eventId: string;
  readonly targetId: string;
  readonly runType: RunType;
}

/**
 * Queues again what events made and a replay canceled, each with a line of history; not a tracked one of whose target a
 * later one was handed out (rule 14). The caller holds the locks, and lets nobody claim.
 */
export async function reviveReplayedTriggers(
  db: Database,
  { wanted, by }: { readonly wanted: readonly WantedRun[]; readonly by: string },
): Promise<(Omit<WantedRun, "runType"> & { readonly triggerId: string })[]> {
  if (wanted.length === 0) return [];
  return db.sql`
    WITH revived AS (
      UPDATE sluice.triggers
      SET state = 'queued', cancel_requested = false, message = NULL, updated_at = now()
      FROM unnest(
        ${wanted.map(({ eventId }) => eventId)}::uuid[],
        ${wanted.map(({ targetId }) => targetId)}::uuid[],
        ${wanted.map(({ runType }) => runType)}::text[]
      ) AS wanted (event_id, target_id, run_type)
      WHERE triggers.event_id = wanted.event_id AND triggers.target_id = wanted.target_id
        AND triggers.run_type = wanted.run_type AND triggers.state = 'canceled' AND triggers.attempt = 0
        AND ${CANCELED_NOTE} = (
          SELECT note FROM sluice.trigger_history WHERE trigger_id = triggers.id ORDER BY at DESC, id DESC LIMIT 1
        )
        AND NOT EXISTS (
          SELECT FROM sluice.triggers AS later
          WHERE triggers.run_type = 'tracked' AND later.target_id = triggers.target_id AND later.run_type = 'tracked'
            AND later.position > triggers.position AND later.attempt > 0
        )
      RETURNING triggers.id, triggers.event_id, triggers.target_id, triggers.state
    ), history AS (
      INSERT INTO sluice.trigger_history (trigger_id, state, actor, note)
      SELECT id, state, ${by}, 'replayed: its delivery triggers it again' FROM revived
    )
    SELECT event_id, target_id, id AS trigger_id FROM revived`;
}

/** Removes a delivery whose events made no trigger, with its bytes, events and decisions, so that it can be recorded anew. */
export async function removeDelivery(db: Database, id: string): Promise<void> {
  await db.sql`
    DELETE FROM sluice.decisions USING sluice.events
    WHERE events.id = decisions.event_id AND events.delivery_id = ${id}`;
  await db.sql`DELETE FROM sluice.events WHERE delivery_id = ${id}`;
  await db.sql`DELETE FROM sluice.deliveries WHERE id = ${id}`;
}

/** A trigger that is still to end. */
export interface OpenTrigger {
  readonly id: string;
  readonly state: TriggerState;
  readonly cancelRequested: boolean;
}

/** The triggers of the targets of these repositories that have not ended, in no order. */
export async function listOpenTriggers(
  db: Database,
  repositoryIds: readonly string[],
): Promise<OpenTrigger[]> {
  return db.sql<OpenTrigger[]>`
    SELECT triggers.id, triggers.state, triggers.cancel_requested
    FROM sluice.targets JOIN sluice.triggers ON triggers.target_id = targets.id
    WHERE targets.repository_id = ANY(${repositoryIds}::uuid[])
      AND triggers.state IN ('blocked', 'queued', 'claimed', 'running', 'waiting', 'lost')`;
}
