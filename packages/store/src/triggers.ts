import type { BranchState } from "@sluice/domain/branch";
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
  /** Drawn before (`drawIds`). */
  readonly id: string;
  readonly repositoryId: string;
  readonly eventId: string;
  /** The repository that `refName` is a branch of: a fork's, or the same. */
  readonly sourceRepositoryId: string;
  readonly refName: string;
  readonly baseSha: string | null;
  readonly position: number;
  /** A pull request told of the commit before its push did. */
  readonly awaitsPush: boolean;
  /** Of a tracked trigger of a module (rule 31). */
  readonly moduleVersion: string | null;
  readonly changes: object;
}

/** A trigger that is there, and where its branch stands. */
export interface TriggerRow extends TriggerIdentity {
  readonly id: string;
  readonly repositoryId: string;
  readonly refName: string;
  /** Null when the branch has no state. */
  readonly branch: Pick<BranchState, "headSha" | "arrivalSequence"> | null;
}

/** Ids for rows that are about to be inserted, ascending. */
export async function drawIds(db: Database, count: number): Promise<string[]> {
  const rows = await db.sql<{ id: string }[]>`SELECT uuidv7() AS id FROM generate_series(1, ${count})`;
  return rows.map((row) => row.id);
}

/**
 * Every trigger that the same targets already have for the same commits and run types, newest first. The caller holds
 * the locks of their repositories. Looked up one by one, by their identity: OFFSET lets no join be made of it, and the
 * order asks for that index, also while a table has no statistics.
 */
export async function findTriggersOfCommits(
  db: Database,
  wanted: readonly Pick<TriggerIdentity, "targetId" | "runType" | "commitSha">[],
): Promise<TriggerRow[]> {
  const rows = await db.sql<
    (Omit<TriggerRow, "branch"> & { headSha: string | null; arrivalSequence: number | null })[]
  >`
    SELECT DISTINCT earlier.id, target_id, run_type, commit_sha, branch_arrival, repository_id, ref_name, head_sha,
           arrival_sequence
    FROM unnest(
      ${wanted.map((trigger) => trigger.targetId)}::uuid[],
      ${wanted.map((trigger) => trigger.runType)}::text[],
      ${wanted.map((trigger) => trigger.commitSha)}::text[]
    ) AS wanted (target_id, run_type, commit_sha)
    CROSS JOIN LATERAL (
      SELECT id, branch_arrival, repository_id, ref_name FROM sluice.triggers
      WHERE triggers.target_id = wanted.target_id AND triggers.run_type = wanted.run_type
        AND triggers.commit_sha = wanted.commit_sha
      ORDER BY branch_arrival DESC OFFSET 0
    ) AS earlier
    LEFT JOIN LATERAL (
      SELECT head_sha, arrival_sequence FROM sluice.branches
      WHERE branches.repository_id = earlier.repository_id AND branches.name = earlier.ref_name
      LIMIT 1
    ) AS branch ON true
    ORDER BY branch_arrival DESC`;
  return rows.map(({ headSha, arrivalSequence, ...trigger }) => ({
    ...trigger,
    branch: arrivalSequence === null ? null : { headSha, arrivalSequence },
  }));
}

/** Inserts triggers, each with its first line of history. `actor`: the person who made them, else the stage of ours. */
export async function insertTriggers(
  db: Database,
  triggers: readonly NewTrigger[],
  actor = "worker",
): Promise<void> {
  if (triggers.length === 0) return;
  await db.sql`
    WITH inserted AS (
      INSERT INTO sluice.triggers
        (id, target_id, repository_id, event_id, run_type, commit_sha, source_repository_id, ref_name, base_sha, branch_arrival,
         position, awaits_push, module_version, changes)
      SELECT id, target_id, repository_id, event_id, run_type, commit_sha, source_repository_id, ref_name, base_sha, branch_arrival,
             position, awaits_push::boolean, module_version, changes::jsonb
      FROM unnest(
        ${triggers.map((trigger) => trigger.id)}::uuid[],
        ${triggers.map((trigger) => trigger.targetId)}::uuid[],
        ${triggers.map((trigger) => trigger.repositoryId)}::uuid[],
        ${triggers.map((trigger) => trigger.eventId)}::uuid[],
        ${triggers.map((trigger) => trigger.runType)}::text[],
        ${triggers.map((trigger) => trigger.commitSha)}::text[],
        ${triggers.map((trigger) => trigger.sourceRepositoryId)}::uuid[],
        ${triggers.map((trigger) => trigger.refName)}::text[],
        ${triggers.map((trigger) => trigger.baseSha)}::text[],
        ${triggers.map((trigger) => trigger.branchArrival)}::bigint[],
        ${triggers.map((trigger) => trigger.position)}::bigint[],
        ${triggers.map((trigger) => String(trigger.awaitsPush))}::text[],
        ${triggers.map((trigger) => trigger.moduleVersion)}::text[],
        ${triggers.map((trigger) => JSON.stringify(trigger.changes))}::text[]
      ) AS new (id, target_id, repository_id, event_id, run_type, commit_sha, source_repository_id, ref_name, base_sha,
                branch_arrival, position, awaits_push, module_version, changes)
      RETURNING id, state
    )
    INSERT INTO sluice.trigger_history (trigger_id, state, actor) SELECT id, state, ${actor} FROM inserted`;
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
