/** Deliveries as people see them. Times are RFC 3339. */
import type { Reach } from "@sluice/domain/access";
import type { PullRequestAction } from "@sluice/domain/event";

import type { Database } from "./client.ts";
import { listDecisionsOfDelivery, type DecisionReport } from "./decision-reports.ts";
import type { DeliveryFailure, DeliveryRow } from "./deliveries.ts";
import { isDeliveryReached } from "./event-reach.ts";
import { toRfc3339 } from "./rfc3339.ts";

/** What became of a delivery. */
export interface DeliveryReport extends Pick<
  DeliveryRow,
  "id" | "requestId" | "source" | "eventKey" | "attempt" | "receivedAt" | "outcome"
> {
  /** Which secret verified it; null: a sweep found what it says, so nobody signed it. */
  readonly secretVersion: DeliveryRow["secretVersion"] | null;
  readonly integration: { readonly id: string; readonly name: string };
  readonly recordedAt: string;
  readonly failure: DeliveryFailure | null;
  readonly bodyBytes: number;
  readonly events: readonly EventReport[];
}

/** One event of a delivery, with what it meant for each target. */
export interface EventReport {
  readonly id: string;
  readonly index: number;
  readonly kind: string;
  /** `workspace/slug`; null for an event whose body is not read. */
  readonly repository: string | null;
  readonly refKind: string | null;
  readonly refName: string | null;
  readonly change: string | null;
  readonly oldSha: string | null;
  /** For an event of a pull request its head, as it was told: 12 digits as a rule. */
  readonly newSha: string | null;
  /** What happened to a pull request, and to which; null for any other event. */
  readonly action: PullRequestAction | null;
  readonly pullRequestNumber: number | null;
  /** Null: not yet. */
  readonly decidedAt: string | null;
  readonly decisions: readonly DecisionReport[];
}

/** A delivery without its events, as lists show it. */
export type DeliveryRecord = Omit<DeliveryReport, "events">;

/** Which deliveries are wanted; what is left out does not matter. */
export interface DeliveryFilter {
  readonly integrationId?: string | undefined;
  readonly outcome?: DeliveryRow["outcome"] | undefined;
  readonly eventKey?: string | undefined;
  /** RFC 3339: recorded then or later. */
  readonly since?: string | undefined;
  /** RFC 3339: recorded before. */
  readonly until?: string | undefined;
}

/**
 * Deliveries within reach, the newest first; `before`: the id of the last one of the page before. By
 * `deliveries_failed_idx` for failed ones, `deliveries_integration_idx` for an integration, else by `deliveries_recorded_at_idx`,
 * from its end. Retention takes the oldest first: once the one of `before` is gone, so are all that would follow it.
 */
export async function listDeliveryRecords(
  db: Database,
  page: {
    readonly reach: Reach;
    readonly filter: DeliveryFilter;
    readonly limit: number;
    readonly before: string | null;
  },
): Promise<DeliveryRecord[]> {
  const { sql } = db;
  const { reach, limit, before } = page;
  const { integrationId, outcome, eventKey, since, until } = page.filter;
  const all = sql`true`;
  // As text, so that the index of the failed ones is known to have them.
  const isOutcome = outcome === "failed" ? sql`outcome = 'failed'` : sql`outcome = ${outcome ?? null}`;
  // An id that is out of reach has no place, so that nobody learns from a cursor what there is.
  const place = sql`(SELECT recorded_at FROM sluice.deliveries WHERE id = ${before} AND ${isDeliveryReached(db, reach)})`;
  const rows = await sql<DeliveryRecord[]>`
    ${selectDeliveries(db)}
    WHERE ${isDeliveryReached(db, reach)}
      AND ${before === null ? all : sql`(recorded_at, deliveries.id) < (${place}, ${before}::uuid)`}
      AND ${integrationId === undefined ? all : sql`integration_id = ${integrationId}::uuid`}
      AND ${outcome === undefined ? all : isOutcome}
      AND ${eventKey === undefined ? all : sql`event_key = ${eventKey}`}
      AND ${since === undefined ? all : sql`recorded_at >= ${since}::timestamptz`}
      AND ${until === undefined ? all : sql`recorded_at < ${until}::timestamptz`}
    ORDER BY recorded_at DESC, deliveries.id DESC
    LIMIT ${limit}`;
  return rows.map(toRecord);
}

/**
 * A delivery by our id or by Bitbucket's X-Request-UUID, both UUIDs; of several with the same request id, the newest.
 * @returns null when there is none within reach (yet).
 */
export async function findDeliveryReport(
  db: Database,
  idOrRequestId: string,
  reach: Reach,
): Promise<DeliveryReport | null> {
  const [delivery] = await db.sql<DeliveryRecord[]>`
    ${selectDeliveries(db)}
    JOIN (
      SELECT id, 0 AS rank FROM sluice.deliveries WHERE id = ${idOrRequestId}
      UNION ALL
      -- By the index of identities: integrations are few.
      SELECT found.id, 1 FROM sluice.integrations CROSS JOIN LATERAL (
        SELECT id FROM sluice.deliveries
        WHERE integration_id = integrations.id AND request_id = ${idOrRequestId} LIMIT 1
      ) AS found
    ) AS candidates ON candidates.id = deliveries.id
    WHERE ${isDeliveryReached(db, reach)}
    ORDER BY rank, recorded_at DESC LIMIT 1`;
  if (delivery === undefined) return null;
  return { ...toRecord(delivery), events: await listEvents(db, { deliveryId: delivery.id, reach }) };
}

/** The space of a delivery's integration, also of one that is deleted; null: the default one, or no such delivery. */
export async function findSpaceOfDelivery(db: Database, id: string): Promise<string | null> {
  const [row] = await db.sql<{ spaceId: string | null }[]>`
    SELECT space_id FROM sluice.integrations
    WHERE id = (SELECT integration_id FROM sluice.deliveries WHERE deliveries.id = ${id})`;
  return row?.spaceId ?? null;
}

async function listEvents(
  db: Database,
  { deliveryId, reach }: { readonly deliveryId: string; readonly reach: Reach },
): Promise<EventReport[]> {
  const events = await db.sql<Omit<EventReport, "decisions">[]>`
    SELECT events.id, index, kind, full_name AS repository, ref_kind, ref_name, change, old_sha, new_sha, action,
           pull_request_number, decided_at
    FROM sluice.events LEFT JOIN sluice.repositories ON repositories.id = events.repository_id
    WHERE delivery_id = ${deliveryId} ORDER BY index`;
  // Behind them, so that an event that is told to be decided has its decisions: both are committed at once.
  const decisions = await listDecisionsOfDelivery(db, { deliveryId, reach });
  return events.map((event) => ({
    ...event,
    decidedAt: event.decidedAt === null ? null : toRfc3339(event.decidedAt),
    decisions: decisions.filter(({ eventId }) => eventId === event.id),
  }));
}

function selectDeliveries(db: Database) {
  return db.sql`
    SELECT deliveries.id, request_id, source, event_key, attempt,
           CASE WHEN source = 'webhook' THEN secret_version END AS secret_version, received_at, recorded_at, outcome, failure,
           body_bytes, json_build_object('id', integrations.id, 'name', integrations.name) AS integration
    FROM sluice.deliveries JOIN sluice.integrations ON integrations.id = deliveries.integration_id`;
}

function toRecord(row: DeliveryRecord): DeliveryRecord {
  return { ...row, receivedAt: toRfc3339(row.receivedAt), recordedAt: toRfc3339(row.recordedAt) };
}
