import type { RecordedPush } from "@sluice/domain/branch";
import type { Actor, CommitFacts, Event, PushEvent } from "@sluice/domain/event";

import type { Database } from "./client.ts";

/** A normalised event on its way into the store. */
export interface NewEvent {
  readonly deliveryId: string;
  readonly requestId: string;
  readonly integrationId: string;
  readonly index: number;
  readonly sequence: number;
  readonly eventKey: string;
  readonly event: Event;
  readonly repositoryId: string | null;
  readonly branchArrival: number | null;
  /** RFC 3339. */
  readonly receivedAt: string;
}

/** An event that waits for its decisions. */
export interface PendingEvent {
  readonly id: string;
  readonly deliveryId: string;
  /** Bitbucket's X-Request-UUID, for the log. */
  readonly requestId: string;
  readonly integrationId: string;
  readonly sequence: number;
  readonly receivedAt: string;
  readonly repositoryId: string | null;
  readonly branchArrival: number | null;
  readonly event: Event;
}

/** Room between two events, for pushes that are recorded late and belong before the second. */
const SEQUENCE_STEP = 1024;

/** Draws `count` numbers, ascending. Drawn under the repository's lock, so that they follow the order of recording. */
export async function drawEventSequences(db: Database, count: number): Promise<number[]> {
  const rows = await db.sql<{ sequence: number }[]>`
    SELECT nextval('sluice.event_sequence') * ${SEQUENCE_STEP} AS sequence FROM generate_series(1, ${count})`;
  return rows.map((row) => row.sequence).toSorted((a, b) => a - b);
}

/** Inserts the events of deliveries that were recorded just now. @returns them as they wait for their decisions. */
export async function insertEvents(db: Database, events: readonly NewEvent[]): Promise<PendingEvent[]> {
  const rows = events.map(toRow);
  const inserted = await db.sql<{ id: string; deliveryId: string; index: number }[]>`
    INSERT INTO sluice.events
      (delivery_id, index, sequence, kind, event_key, repository_id, ref_kind, ref_name, change, old_sha, new_sha, forced,
       branch_arrival, facts, received_at)
    SELECT delivery_id, index, sequence, kind, event_key, repository_id, ref_kind, ref_name, change, old_sha, new_sha, forced::boolean,
           branch_arrival, facts::jsonb, received_at::timestamptz
    FROM unnest(
      ${rows.map((row) => row.deliveryId)}::uuid[],
      ${rows.map((row) => row.index)}::int[],
      ${rows.map((row) => row.sequence)}::bigint[],
      ${rows.map((row) => row.kind)}::text[],
      ${rows.map((row) => row.eventKey)}::text[],
      ${rows.map((row) => row.repositoryId)}::uuid[],
      ${rows.map((row) => row.refKind)}::text[],
      ${rows.map((row) => row.refName)}::text[],
      ${rows.map((row) => row.change)}::text[],
      ${rows.map((row) => row.oldSha)}::text[],
      ${rows.map((row) => row.newSha)}::text[],
      ${rows.map((row) => String(row.forced))}::text[],
      ${rows.map((row) => row.branchArrival)}::bigint[],
      ${rows.map((row) => row.facts)}::text[],
      ${rows.map((row) => row.receivedAt)}::text[]
    ) AS new (delivery_id, index, sequence, kind, event_key, repository_id, ref_kind, ref_name, change, old_sha, new_sha,
              forced, branch_arrival, facts, received_at)
    RETURNING id, delivery_id, index`;
  const ids = new Map(inserted.map(({ id, deliveryId, index }) => [`${deliveryId} ${String(index)}`, id]));
  return events.flatMap(({ index, eventKey: _eventKey, ...event }) => {
    const id = ids.get(`${event.deliveryId} ${String(index)}`);
    return id === undefined ? [] : [{ id, ...event }];
  });
}

/** Events of these deliveries that have no decisions yet, oldest first. */
export async function listPendingEventsOfDeliveries(
  db: Database,
  deliveryIds: readonly string[],
): Promise<PendingEvent[]> {
  const rows = await db.sql<StoredEvent[]>`
    ${selectPending(db)} WHERE events.delivery_id = ANY(${deliveryIds}::uuid[]) AND events.decided_at IS NULL
    ORDER BY events.sequence`;
  return rows.map(toPendingEvent);
}

/** @returns null when there is no such event, or it is decided already. */
export async function findPendingEvent(db: Database, id: string): Promise<PendingEvent | null> {
  const [row] = await db.sql<StoredEvent[]>`
    ${selectPending(db)} WHERE events.id = ${id} AND events.decided_at IS NULL`;
  return row === undefined ? null : toPendingEvent(row);
}

/**
 * Undecided events recorded more than `olderThanMs` ago: their job was lost, or waits for long. A page of at most `limit`
 * ids, after `afterId`.
 */
export async function listStalePendingEvents(
  db: Database,
  page: { readonly olderThanMs: number; readonly afterId: string; readonly limit: number },
): Promise<{ readonly id: string }[]> {
  return db.sql<{ id: string }[]>`
    SELECT id FROM sluice.events
    WHERE decided_at IS NULL AND recorded_at < now() - ${page.olderThanMs} * interval '1 millisecond'
      AND id > ${page.afterId}
    ORDER BY id LIMIT ${page.limit}`;
}

/** Of these events, the ones that are still undecided. The caller holds the locks of their repositories. */
export async function filterUndecided(db: Database, ids: readonly string[]): Promise<ReadonlySet<string>> {
  const rows = await db.sql<{ id: string }[]>`
    SELECT id FROM sluice.events WHERE id = ANY(${ids}::uuid[]) AND decided_at IS NULL ORDER BY id FOR UPDATE`;
  return new Set(rows.map((row) => row.id));
}

/**
 * Recorded pushes of a branch that left `newSha`, or that moved it exactly as this one says it did; the newest first. The
 * caller holds the lock of the repository.
 */
export async function findPushesAround(
  db: Database,
  push: {
    readonly repositoryId: string;
    readonly refName: string;
    readonly oldSha: string;
    readonly newSha: string;
  },
): Promise<RecordedPush[]> {
  return db.sql<RecordedPush[]>`
    SELECT sequence, old_sha, new_sha, branch_arrival FROM sluice.events
    WHERE repository_id = ${push.repositoryId} AND ref_kind = 'branch' AND ref_name = ${push.refName}
      AND (old_sha = ${push.newSha} OR (old_sha = ${push.oldSha} AND new_sha = ${push.newSha}))
    ORDER BY sequence DESC LIMIT 20`;
}

/** Puts the 40 digits in the place of a short hash, for the event and for its branch if it still stands there (rule 12). */
export async function expandEventSha(
  db: Database,
  event: { readonly id: string; readonly shortSha: string; readonly sha: string },
): Promise<void> {
  await db.sql`
    WITH expanded AS (
      UPDATE sluice.events SET new_sha = ${event.sha} WHERE id = ${event.id}
      RETURNING repository_id, ref_name
    )
    UPDATE sluice.branches SET head_sha = ${event.sha}
    FROM expanded
    WHERE branches.repository_id = expanded.repository_id AND branches.name = expanded.ref_name
      AND branches.head_sha = ${event.shortSha}`;
}

export async function markEventsDecided(db: Database, ids: readonly string[]): Promise<void> {
  await db.sql`UPDATE sluice.events SET decided_at = now() WHERE id = ANY(${ids}::uuid[])`;
}

interface StoredFacts {
  readonly commit?: CommitFacts;
  readonly actor?: Actor;
}

interface StoredEvent {
  readonly id: string;
  readonly deliveryId: string;
  readonly requestId: string;
  readonly integrationId: string;
  readonly sequence: number;
  readonly receivedAt: string;
  readonly kind: "push" | "unsupported";
  readonly eventKey: string;
  readonly repositoryId: string | null;
  readonly repositoryUuid: string | null;
  readonly repositoryFullName: string | null;
  readonly refKind: PushEvent["refKind"] | null;
  readonly refName: string | null;
  readonly change: PushEvent["change"] | null;
  readonly oldSha: string | null;
  readonly newSha: string | null;
  readonly forced: boolean;
  readonly branchArrival: number | null;
  readonly facts: StoredFacts;
}

function selectPending(db: Database) {
  return db.sql`
    SELECT events.id, events.delivery_id, deliveries.request_id, deliveries.integration_id, events.sequence, events.received_at, events.kind,
           events.event_key, events.repository_id, repositories.uuid AS repository_uuid,
           repositories.full_name AS repository_full_name, events.ref_kind, events.ref_name, events.change,
           events.old_sha, events.new_sha, events.forced, events.branch_arrival, events.facts
    FROM sluice.events
    JOIN sluice.deliveries ON deliveries.id = events.delivery_id
    LEFT JOIN sluice.repositories ON repositories.id = events.repository_id`;
}

function toRow({ event, requestId: _requestId, integrationId: _integrationId, ...rest }: NewEvent) {
  const common = { ...rest, kind: event.kind };
  if (event.kind === "unsupported") {
    const none = { refKind: null, refName: null, change: null, oldSha: null, newSha: null };
    return { ...common, ...none, forced: false, facts: "{}" };
  }
  const facts: StoredFacts = {
    ...(event.commit === null ? {} : { commit: event.commit }),
    ...(event.actor === null ? {} : { actor: event.actor }),
  };
  return {
    ...common,
    refKind: event.refKind,
    refName: event.refName,
    change: event.change,
    oldSha: event.oldSha,
    newSha: event.newSha,
    forced: event.forced,
    facts: JSON.stringify(facts),
  };
}

function toPendingEvent(row: StoredEvent): PendingEvent {
  return {
    id: row.id,
    deliveryId: row.deliveryId,
    requestId: row.requestId,
    integrationId: row.integrationId,
    sequence: row.sequence,
    receivedAt: row.receivedAt,
    repositoryId: row.repositoryId,
    branchArrival: row.branchArrival,
    event: toEvent(row),
  };
}

function toEvent(row: StoredEvent): Event {
  const { refKind, refName, change, repositoryUuid, repositoryFullName } = row;
  // The table's check constraint `events_push_check` holds these together.
  if (refKind === null || refName === null || change === null || repositoryUuid === null) {
    return { kind: "unsupported", eventKey: row.eventKey };
  }
  return {
    kind: "push",
    repository: { uuid: repositoryUuid, fullName: repositoryFullName ?? "" },
    actor: row.facts.actor ?? null,
    refKind,
    refName,
    change,
    oldSha: row.oldSha,
    newSha: row.newSha,
    forced: row.forced,
    commit: row.facts.commit ?? null,
  };
}
