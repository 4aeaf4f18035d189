import type { Decision, RunType } from "@sluice/domain/decide";
import type { Reason } from "@sluice/domain/reason";

import type { Database } from "./client.ts";
import { toDistinctJson } from "./distinct-json.ts";

export interface NewDecision {
  readonly eventId: string;
  /** Null: the event as a whole, because it concerns no target. */
  readonly targetId: string | null;
  readonly outcome: Decision["outcome"];
  readonly runType: RunType | null;
  readonly reason: Reason;
  readonly evidence: object;
  /** The trigger that it made. */
  readonly triggerId: string | null;
}

/**
 * Inserts decisions. A pair of event and target has one: a second is an error of ours, and fails. Of the thousands that a
 * push may have most say the same: each evidence is sent, and read, once.
 */
export async function insertDecisions(db: Database, decisions: readonly NewDecision[]): Promise<void> {
  if (decisions.length === 0) return;
  const evidence = toDistinctJson(decisions.map((decision) => decision.evidence));
  await db.sql`
    INSERT INTO sluice.decisions (event_id, target_id, outcome, run_type, reason, evidence, trigger_id)
    SELECT event_id, target_id, outcome, run_type, reason, (SELECT ${evidence.list}::text::jsonb) -> place, trigger_id
    FROM unnest(
      ${decisions.map((decision) => decision.eventId)}::uuid[],
      ${decisions.map((decision) => decision.targetId)}::uuid[],
      ${decisions.map((decision) => decision.outcome)}::text[],
      ${decisions.map((decision) => decision.runType)}::text[],
      ${decisions.map((decision) => decision.reason)}::text[],
      ${evidence.places}::int[],
      ${decisions.map((decision) => decision.triggerId)}::uuid[]
    ) AS new (event_id, target_id, outcome, run_type, reason, place, trigger_id)`;
}
