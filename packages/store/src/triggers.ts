import type { BranchState } from "@sluice/domain/branch";
import type { RunType } from "@sluice/domain/decide";
import type { BranchTrigger } from "@sluice/domain/outdated";

import { standing } from "./trigger-ends.ts";
import type { Database } from "./client.ts";
import { toDistinctJson } from "./distinct-json.ts";

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
  readonly eventId: string;
  readonly repositoryId: string;
  /** The repository that `refName` is a branch of. */
  readonly sourceRepositoryId: string;
  readonly refName: string;
  readonly position: number;
  readonly awaitsPush: boolean;
  /** Of a module's tracked trigger; else null. */
  readonly moduleVersion: string | null;
  /** `outdated` however long ago. */
  readonly standing: BranchTrigger["standing"];
  /** As `isDuplicate` asks for it. */
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
    SELECT DISTINCT earlier.*, head_sha, arrival_sequence
    FROM unnest(
      ${wanted.map((trigger) => trigger.targetId)}::uuid[],
      ${wanted.map((trigger) => trigger.runType)}::text[],
      ${wanted.map((trigger) => trigger.commitSha)}::text[]
    ) AS wanted (target_id, run_type, commit_sha)
    CROSS JOIN LATERAL (
      SELECT id, event_id, target_id, run_type, commit_sha, branch_arrival, repository_id, source_repository_id, ref_name,
             position, awaits_push, module_version, ${standing(db)} AS standing
      FROM sluice.triggers
      WHERE triggers.target_id = wanted.target_id AND triggers.run_type = wanted.run_type
        AND triggers.commit_sha = wanted.commit_sha
      ORDER BY branch_arrival DESC OFFSET 0
    ) AS earlier
    LEFT JOIN LATERAL (
      SELECT head_sha, arrival_sequence FROM sluice.branches
      WHERE NOT earlier.awaits_push AND branches.repository_id = earlier.source_repository_id
        AND branches.name = earlier.ref_name
      UNION ALL
      SELECT earlier.commit_sha, head_arrival FROM sluice.pull_requests
      WHERE earlier.awaits_push AND pull_requests.source_repository_id = earlier.source_repository_id
        AND source_branch = earlier.ref_name AND head_arrival = earlier.branch_arrival
      LIMIT 1
    ) AS branch ON true
    ORDER BY branch_arrival DESC`;
  return rows.map(({ headSha, arrivalSequence, ...trigger }) => ({
    ...trigger,
    branch: arrivalSequence === null ? null : { headSha, arrivalSequence },
  }));
}

/** A push to a branch, as the triggers see it that pull requests made before it came. */
export interface ArrivedPush {
  readonly repositoryId: string;
  readonly refName: string;
  /** 7 to 40 hex digits. */
  readonly sha: string;
  readonly branchArrival: number;
  readonly position: number;
}

/**
 * Gives triggers that await their push what it brings, whatever it means for their targets: one of each target, for one push
 * is one arrival. The last push to a commit goes to the last trigger of it, the one before to the one before, as though the
 * pushes had been there first (decision 8). The caller holds the locks of the repositories.
 */
export async function takeOverTriggers(db: Database, pushes: readonly ArrivedPush[]): Promise<void> {
  if (pushes.length === 0) return;
  await db.sql`
    WITH matching AS (
      SELECT awaiting.id, push.branch_arrival, push.position,
             dense_rank() OVER (same_commit ORDER BY push.position DESC) AS push_place,
             dense_rank() OVER (same_commit ORDER BY awaiting.position DESC, awaiting.id DESC) AS trigger_place
      FROM unnest(
        ${pushes.map((push) => push.repositoryId)}::uuid[],
        ${pushes.map((push) => push.refName)}::text[],
        ${pushes.map((push) => push.sha)}::text[],
        ${pushes.map((push) => push.branchArrival)}::bigint[],
        ${pushes.map((push) => push.position)}::bigint[]
      ) AS push (repository_id, ref_name, sha, branch_arrival, position)
      CROSS JOIN LATERAL (
        SELECT id, target_id, run_type, commit_sha, triggers.position FROM sluice.triggers
        WHERE awaits_push AND source_repository_id = push.repository_id AND triggers.ref_name = push.ref_name
          AND triggers.repository_id = push.repository_id AND starts_with(commit_sha, push.sha)
        OFFSET 0
      ) AS awaiting
      WINDOW same_commit AS (
        PARTITION BY push.repository_id, push.ref_name, awaiting.target_id, awaiting.run_type, awaiting.commit_sha
      )
    ), taken AS (
      SELECT * FROM matching WHERE push_place = trigger_place
    )
    UPDATE sluice.triggers
    SET branch_arrival = taken.branch_arrival, position = taken.position, awaits_push = false, updated_at = now()
    FROM taken
    -- The array leads to the rows by their key, however many there are said to be.
    WHERE triggers.id = taken.id AND triggers.id = ANY(ARRAY(SELECT id FROM taken))`;
}

/** Inserts triggers, each with its first line of history. `actor`: the person who made them, else the stage of ours. */
export async function insertTriggers(
  db: Database,
  triggers: readonly NewTrigger[],
  actor = "worker",
): Promise<void> {
  if (triggers.length === 0) return;
  const changes = toDistinctJson(triggers.map((trigger) => trigger.changes));
  await db.sql`
    WITH inserted AS (
      INSERT INTO sluice.triggers
        (id, target_id, repository_id, event_id, run_type, commit_sha, source_repository_id, ref_name, base_sha, branch_arrival,
         position, awaits_push, module_version, changes)
      SELECT id, target_id, repository_id, event_id, run_type, commit_sha, source_repository_id, ref_name, base_sha, branch_arrival,
             position, awaits_push::boolean, module_version, (SELECT ${changes.list}::text::jsonb) -> place
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
        ${changes.places}::int[]
      ) AS new (id, target_id, repository_id, event_id, run_type, commit_sha, source_repository_id, ref_name, base_sha,
                branch_arrival, position, awaits_push, module_version, place)
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
