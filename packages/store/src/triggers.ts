import type { RunType } from "@sluice/domain/decide";

import type { Database } from "./client.ts";

/** What makes a trigger the one it is (rule 26). */
export interface TriggerIdentity {
  readonly targetId: string;
  readonly runType: RunType;
  /** 40 hex digits. */
  readonly commitSha: string;
  readonly branchArrival: number;
}

export interface NewTrigger extends TriggerIdentity {
  readonly repositoryId: string;
  readonly eventId: string;
  readonly refName: string;
  readonly baseSha: string | null;
  readonly position: number;
  readonly changes: object;
}

export interface TriggerRow extends TriggerIdentity {
  readonly id: string;
  readonly repositoryId: string;
  readonly refName: string;
}

export function triggerKey(trigger: TriggerIdentity): string {
  return `${trigger.targetId} ${trigger.runType} ${trigger.commitSha} ${String(trigger.branchArrival)}`;
}

/** Every trigger that the same targets already have for the same commits and run types, newest first. */
export async function findTriggersOfCommits(
  db: Database,
  wanted: readonly Pick<TriggerIdentity, "targetId" | "runType" | "commitSha">[],
): Promise<TriggerRow[]> {
  return db.sql<TriggerRow[]>`
    SELECT DISTINCT triggers.id, target_id, run_type, commit_sha, branch_arrival, repository_id, ref_name
    FROM sluice.triggers
    JOIN unnest(
      ${wanted.map((trigger) => trigger.targetId)}::uuid[],
      ${wanted.map((trigger) => trigger.runType)}::text[],
      ${wanted.map((trigger) => trigger.commitSha)}::text[]
    ) AS wanted (target_id, run_type, commit_sha) USING (target_id, run_type, commit_sha)
    ORDER BY branch_arrival DESC`;
}

/**
 * Inserts triggers, each with its first line of history. `actor`: the person who made them, else the stage of ours.
 * @returns ids by `triggerKey`.
 */
export async function insertTriggers(
  db: Database,
  triggers: readonly NewTrigger[],
  actor = "worker",
): Promise<ReadonlyMap<string, string>> {
  const rows = await db.sql<(TriggerIdentity & { id: string })[]>`
    WITH inserted AS (
      INSERT INTO sluice.triggers
        (target_id, repository_id, event_id, run_type, commit_sha, ref_name, base_sha, branch_arrival, position, changes)
      SELECT target_id, repository_id, event_id, run_type, commit_sha, ref_name, base_sha, branch_arrival, position, changes::jsonb
      FROM unnest(
        ${triggers.map((trigger) => trigger.targetId)}::uuid[],
        ${triggers.map((trigger) => trigger.repositoryId)}::uuid[],
        ${triggers.map((trigger) => trigger.eventId)}::uuid[],
        ${triggers.map((trigger) => trigger.runType)}::text[],
        ${triggers.map((trigger) => trigger.commitSha)}::text[],
        ${triggers.map((trigger) => trigger.refName)}::text[],
        ${triggers.map((trigger) => trigger.baseSha)}::text[],
        ${triggers.map((trigger) => trigger.branchArrival)}::bigint[],
        ${triggers.map((trigger) => trigger.position)}::bigint[],
        ${triggers.map((trigger) => JSON.stringify(trigger.changes))}::text[]
      ) AS new (target_id, repository_id, event_id, run_type, commit_sha, ref_name, base_sha, branch_arrival, position, changes)
      RETURNING id, target_id, run_type, commit_sha, branch_arrival, state
    ), history AS (
      INSERT INTO sluice.trigger_history (trigger_id, state, actor) SELECT id, state, ${actor} FROM inserted
    )
    SELECT id, target_id, run_type, commit_sha, branch_arrival FROM inserted`;
  return new Map(rows.map((row) => [triggerKey(row), row.id]));
}

/** A tracked trigger of a target at a later position than one that is about to be made. */
export interface LaterTrigger {
  readonly targetId: string;
  readonly position: number;
  readonly triggerId: string;
  /** Whether a scheduler has had it. */
  readonly wasHandedOut: boolean;
}

/** For each target and position: a later tracked trigger, rather one that was handed out; absent when there is none. */
export async function findLaterTracked(
  db: Database,
  drafts: readonly { readonly targetId: string; readonly position: number }[],
): Promise<LaterTrigger[]> {
  return db.sql<LaterTrigger[]>`
    SELECT draft.target_id, draft.position, later.id AS trigger_id, later.attempt > 0 AS was_handed_out
    FROM unnest(
      ${drafts.map((draft) => draft.targetId)}::uuid[],
      ${drafts.map((draft) => draft.position)}::bigint[]
    ) AS draft (target_id, position)
    CROSS JOIN LATERAL (
      SELECT id, attempt FROM sluice.triggers
      WHERE triggers.target_id = draft.target_id AND run_type = 'tracked' AND triggers.position > draft.position
      ORDER BY attempt > 0 DESC LIMIT 1
    ) AS later`;
}

/** Lets nobody claim or make a trigger until the transaction ends. For the rare late push and for people's acts. */
export async function lockOutClaims(db: Database): Promise<void> {
  await db.sql`LOCK TABLE sluice.triggers IN SHARE ROW EXCLUSIVE MODE`;
}
