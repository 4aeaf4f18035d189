import type { Evidence, RunType } from "@sluice/domain/decide";

import type { Database } from "./client.ts";

/** A decision that waits for a person (rule 17), with what a trigger for it needs. */
export interface HeldDecision {
  readonly id: string;
  readonly eventId: string;
  readonly targetId: string;
  readonly targetName: string;
  readonly repositoryId: string;
  readonly runType: RunType;
  readonly evidence: Evidence;
  readonly refName: string;
  readonly newSha: string;
  readonly oldSha: string | null;
  readonly branchArrival: number;
  readonly sequence: number;
  /** Whether a later tracked trigger of the target was handed out: then this commit would come after a newer one. */
  readonly isStale: boolean;
}

/** The repository of an event; null when there is no such event, or it has none. */
export async function findRepositoryOfEvent(db: Database, eventId: string): Promise<string | null> {
  const [row] = await db.sql<{ repositoryId: string | null }[]>`
    SELECT repository_id FROM sluice.events WHERE id = ${eventId}`;
  return row?.repositoryId ?? null;
}

/** The decisions of an event that wait for a person. The caller holds the lock of its repository. */
export async function listHeldDecisions(db: Database, eventId: string): Promise<HeldDecision[]> {
  return db.sql<HeldDecision[]>`
    SELECT decisions.id, decisions.event_id, decisions.target_id, targets.name AS target_name, decisions.run_type,
           decisions.evidence, events.repository_id, events.ref_name, events.new_sha, events.old_sha,
           events.branch_arrival, events.sequence,
           decisions.run_type = 'tracked' AND EXISTS (
             SELECT FROM sluice.triggers
             WHERE triggers.target_id = decisions.target_id AND triggers.run_type = 'tracked'
               AND triggers.position > events.sequence AND triggers.attempt > 0
           ) AS is_stale
    FROM sluice.decisions
    JOIN sluice.events ON events.id = decisions.event_id
    JOIN sluice.targets ON targets.id = decisions.target_id
    WHERE decisions.event_id = ${eventId} AND decisions.outcome = 'hold' AND targets.removed_at IS NULL
    ORDER BY targets.name
    FOR UPDATE OF decisions`;
}

/** Writes what a person made of a held decision. */
export async function settleHeldDecision(
  db: Database,
  decision: {
    readonly id: string;
    readonly outcome: "trigger" | "ignore";
    readonly runType: RunType | null;
    readonly reason: string;
    readonly evidence: object;
    readonly triggerId: string | null;
  },
): Promise<void> {
  await db.sql`
    UPDATE sluice.decisions
    SET outcome = ${decision.outcome}, run_type = ${decision.runType}, reason = ${decision.reason},
        evidence = ${JSON.stringify(decision.evidence)}::jsonb, trigger_id = ${decision.triggerId}, decided_at = now()
    WHERE id = ${decision.id} AND outcome = 'hold'`;
}
