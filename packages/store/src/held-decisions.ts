import type { Evidence, RunType } from "@sluice/domain/decide";
import type { PullRequestAction, PullRequestEvent, PullRequestFacts } from "@sluice/domain/event";

import type { Database } from "./client.ts";

/** A decision that waits for a person (rule 17), with what a trigger for it needs. */
export interface HeldDecision {
  readonly id: string;
  readonly eventId: string;
  readonly targetId: string;
  readonly targetName: string;
  readonly spaceId: string;
  readonly repositoryId: string;
  readonly runType: RunType;
  readonly evidence: Evidence;
  readonly newSha: string;
  readonly sequence: number;
  /** Whether a later tracked trigger of the target was handed out: then this commit would come after a newer one. */
  readonly isStale: boolean;
  readonly of: HeldPush | HeldReport;
}

/** The event of a held decision, when it is a push. */
export interface HeldPush {
  readonly kind: "push";
  readonly refName: string;
  readonly oldSha: string | null;
  readonly branchArrival: number;
}

/** The event of a held decision, when it is a pull request's. */
export interface HeldReport {
  readonly kind: "pull_request";
  /** Without its actor and its comment. */
  readonly event: PullRequestEvent;
  /** Null when the source is gone. */
  readonly sourceRepositoryId: string | null;
}

/** The repository of an event; null when there is no such event, or it has none. */
export async function findRepositoryOfEvent(db: Database, eventId: string): Promise<string | null> {
  const [row] = await db.sql<{ repositoryId: string | null }[]>`
    SELECT repository_id FROM sluice.events WHERE id = ${eventId}`;
  return row?.repositoryId ?? null;
}

/** The decisions of an event that wait for a person. The caller holds the lock of its repository. */
export async function listHeldDecisions(db: Database, eventId: string): Promise<HeldDecision[]> {
  const rows = await db.sql<HeldRow[]>`
    SELECT decisions.id, decisions.event_id, decisions.target_id, targets.name AS target_name, targets.space_id,
           decisions.run_type, decisions.evidence, events.repository_id, events.ref_name, events.new_sha, events.old_sha,
           events.branch_arrival, events.sequence, events.action, events.source_repository_id,
           events.facts -> 'pullRequest' AS pull_request, repositories.uuid, repositories.full_name,
           decisions.run_type = 'tracked' AND EXISTS (
             SELECT FROM sluice.triggers
             WHERE triggers.target_id = decisions.target_id AND triggers.run_type = 'tracked'
               AND triggers.position > events.sequence AND triggers.attempt > 0
           ) AS is_stale
    FROM sluice.decisions
    JOIN sluice.events ON events.id = decisions.event_id
    JOIN sluice.repositories ON repositories.id = events.repository_id
    JOIN sluice.targets ON targets.id = decisions.target_id
    WHERE decisions.event_id = ${eventId} AND decisions.outcome = 'hold' AND targets.removed_at IS NULL
    ORDER BY targets.name
    FOR UPDATE OF decisions`;
  return rows.map(toHeldDecision);
}

interface HeldRow extends Omit<HeldDecision, "of"> {
  readonly refName: string | null;
  readonly oldSha: string | null;
  readonly branchArrival: number | null;
  readonly action: PullRequestAction | null;
  readonly sourceRepositoryId: string | null;
  readonly pullRequest: PullRequestFacts | null;
  readonly uuid: string;
  readonly fullName: string;
}

function toHeldDecision(row: HeldRow): HeldDecision {
  const { refName, oldSha, branchArrival, action, sourceRepositoryId, pullRequest, uuid, fullName, ...rest } =
    row;
  if (action !== null && pullRequest !== null) {
    const event: PullRequestEvent = {
      kind: "pull_request",
      action,
      repository: { uuid, fullName },
      actor: null,
      pullRequest,
      comment: null,
    };
    return { ...rest, of: { kind: "pull_request", event, sourceRepositoryId } };
  }
  if (refName === null || branchArrival === null) {
    throw new Error(`the held decision ${row.id} is of an event that moved no branch`);
  }
  return { ...rest, of: { kind: "push", refName, oldSha, branchArrival } };
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
