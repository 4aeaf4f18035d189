import type { BranchMove } from "@sluice/domain/branch";
import type { RecordedPush } from "@sluice/domain/branch-push";

import type { BranchName } from "./branches.ts";
import type { Database } from "./client.ts";

/** As many of a branch's pushes as are looked at; one that comes later than that is not placed among them. */
const MAX_PUSHES = 500;
/** As many of a branch's latest pushes as retention leaves, however old: they tell what the head is. */
export const LATEST_PUSHES = 30;

/** After so long the webhook of a push that a sweep found is not expected any more. */
const AWAITED_FOR_MINUTES = 60;

/** The latest recorded pushes of a branch, those that are told twice included. The caller holds the repository's lock. */
export async function listRecentPushes(db: Database, branch: BranchName): Promise<RecordedPush[]> {
  return db.sql<RecordedPush[]>`
    WITH recent AS (
      SELECT delivery_id, sequence, old_sha, new_sha, change, branch_arrival, facts, told_again, recorded_at
      FROM sluice.events
      WHERE repository_id = ${branch.repositoryId} AND ref_kind = 'branch' AND ref_name = ${branch.name}
      ORDER BY sequence DESC LIMIT ${MAX_PUSHES}
    )
    SELECT recent.sequence, old_sha, new_sha, change, branch_arrival, facts -> 'commit' ->> 'date' AS committed_at,
           deliveries.hook_id, deliveries.attempt, told_again AS is_told_again,
           deliveries.source = 'sweep' AND recent.recorded_at > now() - ${AWAITED_FOR_MINUTES} * interval '1 minute' AS is_awaited
    FROM recent JOIN sluice.deliveries ON deliveries.id = recent.delivery_id`;
}

/**
 * Ids of the undecided pushes to these branches, the earliest place first, at most `limit`. The caller
 * holds the locks of the repositories.
 */
export async function listUndecidedPushes(
  db: Database,
  branches: readonly BranchName[],
  limit: number,
): Promise<string[]> {
  const rows = await db.sql<{ id: string }[]>`
    SELECT pushed.id
    FROM unnest(
      ${branches.map((branch) => branch.repositoryId)}::uuid[], ${branches.map((branch) => branch.name)}::text[]
    ) AS wanted (repository_id, name)
    CROSS JOIN LATERAL (
      SELECT id, sequence FROM sluice.events
      WHERE events.repository_id = wanted.repository_id AND ref_name = wanted.name AND ref_kind = 'branch'
        AND decided_at IS NULL
      ORDER BY sequence LIMIT ${limit}
    ) AS pushed
    ORDER BY pushed.sequence LIMIT ${limit}`;
  return rows.map(({ id }) => id);
}

/**
 * Of these events, ids of the pushes that the same hook had told before, and that are not known to be pushes of their own.
 * The caller holds the locks of their repositories.
 */
export async function filterToldAgain(db: Database, ids: readonly string[]): Promise<ReadonlySet<string>> {
  const rows =
    ids.length === 0
      ? []
      : await db.sql<{ id: string }[]>`
          SELECT id FROM sluice.events WHERE id = ANY(${ids}::uuid[]) AND told_again`;
  return new Set(rows.map(({ id }) => id));
}

/**
 * Does to the recorded pushes of a branch what a move of it says: what was told again and turned out to be a push of its own
 * waits for its decisions anew, and pushes change places, with the triggers that they made (rule 14). A tracked trigger
 * that comes to stand before one of its target that a scheduler has had is not run any more: that would roll the target
 * back. The caller holds the repository's lock, and has locked claims out.
 * @returns ids of the events that wait anew.
 */
export async function rearrangePushes(
  db: Database,
  branch: BranchName,
  { recovered, sequences }: Pick<BranchMove, "recovered" | "sequences">,
): Promise<string[]> {
  const waiting = await recoverPushes(
    db,
    branch,
    recovered.map(({ sequence }) => sequence),
  );
  if (sequences.size > 0) {
    await movePushes(db, branch, sequences);
    await supersedeOvertaken(db, branch);
  }
  return waiting;
}

async function recoverPushes(
  db: Database,
  branch: BranchName,
  sequences: readonly number[],
): Promise<string[]> {
  if (sequences.length === 0) return [];
  const rows = await db.sql<{ id: string }[]>`
    WITH recovered AS (
      UPDATE sluice.events SET told_again = false, branch_arrival = sequence, decided_at = NULL
      WHERE repository_id = ${branch.repositoryId} AND ref_kind = 'branch' AND ref_name = ${branch.name}
        AND sequence = ANY(${sequences}::bigint[]) AND told_again
      RETURNING id
    ), undone AS (
      DELETE FROM sluice.decisions USING recovered WHERE event_id = recovered.id AND outcome <> 'trigger'
    )
    SELECT id FROM recovered`;
  return rows.map(({ id }) => id);
}

/** With the triggers that they made, and those that they took over: those are of pull request events of the branch. */
async function movePushes(
  db: Database,
  branch: BranchName,
  sequences: ReadonlyMap<number, number>,
): Promise<void> {
  await db.sql`
    WITH moved AS (
      UPDATE sluice.events SET sequence = place.new
      FROM unnest(${[...sequences.keys()]}::bigint[], ${[...sequences.values()]}::bigint[]) AS place (old, new)
      WHERE repository_id = ${branch.repositoryId} AND ref_kind = 'branch' AND ref_name = ${branch.name}
        AND sequence = place.old AND NOT told_again
      RETURNING events.id, events.sequence, events.branch_arrival
    ), made AS (
      SELECT triggers.id, moved.sequence FROM moved JOIN sluice.triggers ON triggers.event_id = moved.id
      UNION
      SELECT told.id, moved.sequence
      FROM sluice.pull_requests
      CROSS JOIN LATERAL (
        SELECT id FROM sluice.events
        WHERE events.repository_id = pull_requests.repository_id AND pull_request_number = pull_requests.number
        OFFSET 0
      ) AS report
      CROSS JOIN LATERAL (
        SELECT id, branch_arrival FROM sluice.triggers WHERE event_id = report.id OFFSET 0
      ) AS told
      JOIN moved USING (branch_arrival)
      WHERE pull_requests.source_repository_id = ${branch.repositoryId} AND source_branch = ${branch.name}
        AND pull_requests.repository_id = ${branch.repositoryId}
    )
    UPDATE sluice.triggers SET position = made.sequence FROM made WHERE triggers.id = made.id`;
}

async function supersedeOvertaken(db: Database, branch: BranchName): Promise<void> {
  await db.sql`
    WITH overtaken AS (
      UPDATE sluice.triggers
      SET state = 'superseded', message = 'a later commit was handed out before it was known that this one is older',
          updated_at = now()
      WHERE repository_id = ${branch.repositoryId} AND ref_name = ${branch.name} AND run_type = 'tracked'
        AND state IN ('blocked', 'queued')
        AND EXISTS (
          SELECT FROM sluice.triggers AS later
          WHERE later.target_id = triggers.target_id AND later.run_type = 'tracked' AND later.attempt > 0
            AND later.position > triggers.position
        )
      RETURNING id, state, message
    )
    INSERT INTO sluice.trigger_history (trigger_id, state, actor, note)
    SELECT id, state, 'worker', message FROM overtaken`;
}
