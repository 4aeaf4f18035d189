import type { Decision, RunType } from "@sluice/domain/decide";
import type { Reason } from "@sluice/domain/reason";

import type { Database } from "./client.ts";

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

/** Inserts decisions. A pair of event and target has one: a second is an error of ours, and fails. */
export async function insertDecisions(db: Database, decisions: readonly NewDecision[]): Promise<void> {
  if (decisions.length === 0) return;
  await db.sql`
    INSERT INTO sluice.decisions (event_id, target_id, outcome, run_type, reason, evidence, trigger_id)
    SELECT event_id, target_id, outcome, run_type, reason, evidence::jsonb, trigger_id
    FROM unnest(
      ${decisions.map((decision) => decision.eventId)}::uuid[],
      ${decisions.map((decision) => decision.targetId)}::uuid[],
      ${decisions.map((decision) => decision.outcome)}::text[],
      ${decisions.map((decision) => decision.runType)}::text[],
      ${decisions.map((decision) => decision.reason)}::text[],
      ${decisions.map((decision) => JSON.stringify(decision.evidence))}::text[],
      ${decisions.map((decision) => decision.triggerId)}::uuid[]
    ) AS new (event_id, target_id, outcome, run_type, reason, evidence, trigger_id)`;
}
