import type { PullRequestAction } from "@sluice/domain/event";
import type { StoredDecision } from "@sluice/domain/explain";
import type { Target } from "@sluice/domain/target";

import type { Database } from "./client.ts";
import type { DeliveryFailure, DeliveryRow } from "./deliveries.ts";
import { toRfc3339 } from "./rfc3339.ts";

/** What became of a delivery. Times are RFC 3339. */
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

export interface DecisionReport extends StoredDecision {
  readonly id: string;
  readonly eventId: string;
  readonly deliveryId: string;
  readonly outcome: "trigger" | "hold" | "ignore";
  /** Null: the event concerns no target. */
  readonly target: {
    readonly id: string;
    readonly kind: Target["kind"];
    readonly name: string;
    readonly space: string;
  } | null;
  /** The trigger that it made. */
  readonly triggerId: string | null;
  readonly decidedAt: string;
}

/**
 * A delivery by our id or by Bitbucket's X-Request-UUID, both UUIDs; of several with the same request id, the newest.
 * @returns null when there is none (yet).
 */
export async function findDeliveryReport(
  db: Database,
  idOrRequestId: string,
): Promise<DeliveryReport | null> {
  const [delivery] = await db.sql<Omit<DeliveryReport, "events">[]>`
    SELECT deliveries.id, request_id, source, event_key, attempt,
           CASE WHEN source = 'webhook' THEN secret_version END AS secret_version, received_at, recorded_at, outcome, failure,
           body_bytes, json_build_object('id', integrations.id, 'name', integrations.name) AS integration
    FROM sluice.deliveries JOIN sluice.integrations ON integrations.id = deliveries.integration_id
    WHERE deliveries.id = (
      SELECT id FROM (
        SELECT id, recorded_at, 0 AS rank FROM sluice.deliveries WHERE id = ${idOrRequestId}
        UNION ALL
        -- By the index of identities: integrations are few.
        SELECT found.id, found.recorded_at, 1 FROM sluice.integrations CROSS JOIN LATERAL (
          SELECT id, recorded_at FROM sluice.deliveries
          WHERE integration_id = integrations.id AND request_id = ${idOrRequestId} LIMIT 1
        ) AS found
      ) AS candidates
      ORDER BY rank, recorded_at DESC LIMIT 1
    )`;
  if (delivery === undefined) return null;
  const events = await listEvents(db, delivery.id);
  return {
    ...delivery,
    receivedAt: toRfc3339(delivery.receivedAt),
    recordedAt: toRfc3339(delivery.recordedAt),
    events,
  };
}

/** @returns null when there is no such decision. */
export async function findDecisionReport(db: Database, id: string): Promise<DecisionReport | null> {
  const [row] = await db.sql<DecisionReport[]>`${selectDecisions(db)} WHERE decisions.id = ${id}`;
  return row === undefined ? null : { ...row, decidedAt: toRfc3339(row.decidedAt) };
}

async function listEvents(db: Database, deliveryId: string): Promise<EventReport[]> {
  const events = await db.sql<Omit<EventReport, "decisions">[]>`
    SELECT events.id, index, kind, full_name AS repository, ref_kind, ref_name, change, old_sha, new_sha, action,
           pull_request_number, decided_at
    FROM sluice.events LEFT JOIN sluice.repositories ON repositories.id = events.repository_id
    WHERE delivery_id = ${deliveryId} ORDER BY index`;
  const decisions = await db.sql<DecisionReport[]>`
    ${selectDecisions(db)} WHERE events.delivery_id = ${deliveryId}
    ORDER BY spaces.name, targets.kind, targets.name`;
  const byEvent = groupByEvent(decisions);
  return events.map((event) => ({
    ...event,
    decidedAt: event.decidedAt === null ? null : toRfc3339(event.decidedAt),
    decisions: byEvent.get(event.id) ?? [],
  }));
}

function groupByEvent(decisions: readonly DecisionReport[]): ReadonlyMap<string, readonly DecisionReport[]> {
  const groups = new Map<string, DecisionReport[]>();
  for (const row of decisions) {
    const decision = { ...row, decidedAt: toRfc3339(row.decidedAt) };
    const group = groups.get(row.eventId);
    if (group === undefined) groups.set(row.eventId, [decision]);
    else group.push(decision);
  }
  return groups;
}

function selectDecisions(db: Database) {
  return db.sql`
    SELECT decisions.id, decisions.event_id, events.delivery_id, decisions.outcome, decisions.run_type,
           decisions.reason, decisions.evidence, decisions.trigger_id, decisions.decided_at,
           CASE WHEN targets.id IS NOT NULL THEN json_build_object(
             'id', targets.id, 'kind', targets.kind, 'name', targets.name, 'space', spaces.name
           ) END AS target
    FROM sluice.decisions
    JOIN sluice.events ON events.id = decisions.event_id
    LEFT JOIN sluice.targets ON targets.id = decisions.target_id
    LEFT JOIN sluice.spaces ON spaces.id = targets.space_id`;
}
