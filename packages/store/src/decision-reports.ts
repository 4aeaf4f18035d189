/** Decisions as people see them. Times are RFC 3339. */
import type { Reach } from "@sluice/domain/access";
import type { Reason } from "@sluice/domain/reason";
import type { StoredDecision } from "@sluice/domain/explain";
import type { Target } from "@sluice/domain/target";

import type { Database } from "./client.ts";
import { isDecisionReached } from "./event-reach.ts";
import { toRfc3339 } from "./rfc3339.ts";
import { firstIdAt } from "./time-of-id.ts";

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

/** Which decisions are wanted; what is left out does not matter. */
export interface DecisionFilter {
  readonly eventId?: string | undefined;
  readonly targetId?: string | undefined;
  readonly reason?: Reason | undefined;
  readonly outcome?: DecisionReport["outcome"] | undefined;
  /** RFC 3339: made then or later. One that was held, and settled later, was made when it was held. */
  readonly since?: string | undefined;
}

/** A decision; null when there is none within reach. */
export async function findDecisionReport(
  db: Database,
  { id, reach }: { readonly id: string; readonly reach: Reach },
): Promise<DecisionReport | null> {
  const [row] = await db.sql<DecisionReport[]>`
    ${selectDecisions(db)} WHERE decisions.id = ${id} AND ${isDecisionReached(db, reach)}`;
  return row === undefined ? null : toReport(row);
}

/**
 * Decisions within reach, the newest first; `before`: the id of the last one of the page before. By `decisions_identity_key`
 * for an event, `decisions_target_idx` for a target, `decisions_held_idx` for held ones, else by the primary key from its end.
 */
export async function listDecisionReports(
  db: Database,
  page: {
    readonly reach: Reach;
    readonly filter: DecisionFilter;
    readonly limit: number;
    readonly before: string | null;
  },
): Promise<DecisionReport[]> {
  const { sql } = db;
  const { reach, limit, before } = page;
  const { eventId, targetId, reason, outcome, since } = page.filter;
  const all = sql`true`;
  // As text, so that the index of the held ones is known to have them.
  const isOutcome = outcome === "hold" ? sql`outcome = 'hold'` : sql`outcome = ${outcome ?? null}`;
  const rows = await sql<DecisionReport[]>`
    ${selectDecisions(db)}
    JOIN (
      SELECT id FROM sluice.decisions
      WHERE ${isDecisionReached(db, reach)}
        AND ${before === null ? all : sql`id < ${before}::uuid`}
        AND ${eventId === undefined ? all : sql`event_id = ${eventId}::uuid`}
        AND ${targetId === undefined ? all : sql`target_id = ${targetId}::uuid`}
        AND ${reason === undefined ? all : sql`reason = ${reason}`}
        AND ${outcome === undefined ? all : isOutcome}
        AND ${since === undefined ? all : sql`id >= ${firstIdAt(since)}::uuid`}
      ORDER BY id DESC
      LIMIT ${limit}
    ) AS found ON found.id = decisions.id
    ORDER BY decisions.id DESC`;
  return rows.map(toReport);
}

/** All decisions of a delivery within reach, by space, kind and name of their targets. */
export async function listDecisionsOfDelivery(
  db: Database,
  { deliveryId, reach }: { readonly deliveryId: string; readonly reach: Reach },
): Promise<DecisionReport[]> {
  const rows = await db.sql<DecisionReport[]>`
    ${selectDecisions(db)} WHERE events.delivery_id = ${deliveryId} AND ${isDecisionReached(db, reach)}
    ORDER BY spaces.name, targets.kind, targets.name`;
  return rows.map(toReport);
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

function toReport(row: DecisionReport): DecisionReport {
  return { ...row, decidedAt: toRfc3339(row.decidedAt) };
}
