/** Events that are recorded and not decided. */
import type { Event, PullRequestAction, PushEvent } from "@sluice/domain/event";

import type { Database } from "./client.ts";
import type { DeliveryRow } from "./deliveries.ts";
import type { StoredFacts } from "./event-facts.ts";

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
  /** Of a pull request's source; null for other events, and when it is gone. */
  readonly sourceRepositoryId: string | null;
  readonly branchArrival: number | null;
  /** False for a push whose place among those of its branch Bitbucket has to be asked about (rule 14). */
  readonly isPlaced: boolean;
  /**
   * Of a deletion that is not placed: whether the same hook told a push of the branch twice. The second may be another push,
   * by which the branch was made again. False for everything else.
   */
  readonly isBranchToldAgain: boolean;
  readonly source: DeliveryRow["source"];
  readonly event: Event;
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

/** An event as it was recorded, decided or not; null when there is no such event. */
export async function findRecordedEvent(
  db: Database,
  id: string,
): Promise<Pick<PendingEvent, "repositoryId" | "event"> | null> {
  const [row] = await db.sql<StoredEvent[]>`${selectPending(db)} WHERE events.id = ${id}`;
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

/**
 * Of these events, the ones that are still undecided, each with its place now, which may have changed since it was read.
 * The caller holds the locks of their repositories.
 * @returns sequences by id.
 */
export async function filterUndecided(
  db: Database,
  ids: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  const rows = await db.sql<{ id: string; sequence: number }[]>`
    SELECT id, sequence FROM sluice.events
    WHERE id = ANY(${ids}::uuid[]) AND decided_at IS NULL ORDER BY id FOR UPDATE`;
  return new Map(rows.map((row) => [row.id, row.sequence]));
}

interface StoredEvent {
  readonly id: string;
  readonly deliveryId: string;
  readonly requestId: string;
  readonly integrationId: string;
  readonly sequence: number;
  readonly receivedAt: string;
  readonly kind: Event["kind"];
  readonly eventKey: string;
  readonly repositoryId: string | null;
  readonly sourceRepositoryId: string | null;
  readonly action: PullRequestAction | null;
  readonly repositoryUuid: string | null;
  readonly repositoryFullName: string | null;
  readonly refKind: PushEvent["refKind"] | null;
  readonly refName: string | null;
  readonly change: PushEvent["change"] | null;
  readonly oldSha: string | null;
  readonly newSha: string | null;
  readonly forced: boolean;
  readonly branchArrival: number | null;
  readonly isPlaced: boolean;
  readonly isBranchToldAgain: boolean;
  readonly source: DeliveryRow["source"];
  readonly facts: StoredFacts;
}

function selectPending(db: Database) {
  return db.sql`
    SELECT events.id, events.delivery_id, deliveries.request_id, deliveries.integration_id, events.sequence, events.received_at, events.kind,
           events.event_key, events.repository_id, repositories.uuid AS repository_uuid,
           repositories.full_name AS repository_full_name, events.ref_kind, events.ref_name, events.change,
           events.old_sha, events.new_sha, events.forced, events.branch_arrival, events.action,
           events.source_repository_id, events.facts, deliveries.source,
           (branches.chain IS DISTINCT FROM 'unsure') AS is_placed,
           CASE WHEN branches.chain = 'unsure' AND events.change = 'deleted' THEN EXISTS (
             SELECT FROM sluice.events AS again
             WHERE again.repository_id = events.repository_id AND again.ref_kind = 'branch'
               AND again.ref_name = events.ref_name AND again.told_again
           ) ELSE false END AS is_branch_told_again
    FROM sluice.events
    JOIN sluice.deliveries ON deliveries.id = events.delivery_id
    LEFT JOIN sluice.repositories ON repositories.id = events.repository_id
    LEFT JOIN sluice.branches
      ON events.ref_kind = 'branch' AND branches.repository_id = events.repository_id AND branches.name = events.ref_name`;
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
    sourceRepositoryId: row.sourceRepositoryId,
    branchArrival: row.branchArrival,
    isPlaced: row.isPlaced,
    isBranchToldAgain: row.isBranchToldAgain,
    source: row.source,
    event: toEvent(row),
  };
}

/** The table's check constraints hold the columns of each kind together. */
function toEvent(row: StoredEvent): Event {
  if (row.repositoryUuid === null) return { kind: "unsupported", eventKey: row.eventKey };
  const { facts, action, refKind, refName, change } = row;
  const repository = { uuid: row.repositoryUuid, fullName: row.repositoryFullName ?? "" };
  const actor = facts.actor ?? null;
  if (action !== null && facts.pullRequest !== undefined) {
    const { pullRequest, comment = null } = facts;
    return { kind: "pull_request", action, repository, actor, pullRequest, comment };
  }
  if (refKind === null || refName === null || change === null) {
    return { kind: "unsupported", eventKey: row.eventKey };
  }
  const { oldSha, newSha, forced } = row;
  const commit = facts.commit ?? null;
  return { kind: "push", repository, actor, refKind, refName, change, oldSha, newSha, forced, commit };
}
