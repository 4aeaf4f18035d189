/** The triggers of a branch, and their ends because of what came after them (rules 23, 27). */
import { assertNever } from "@sluice/domain/assert-never";
import type { BranchTriggers, TriggerVerdict } from "@sluice/domain/outdated";

import { LATEST_PUSHES } from "./branch-pushes.ts";
import { branchKey, type BranchName } from "./branches.ts";
import type { Database } from "./client.ts";

/** As many of a branch's pushes as are looked at for triggers that nobody has, or has not begun. */
const MAX_PUSHES = 500;
/** What ended longer ago does not come back: what came after it may be gone from the store. */
const MAX_REVIVAL_DAYS = 1;

/** A branch with its triggers. */
export interface BranchWithTriggers extends BranchTriggers {
  /** Ids of the targets whose tracked triggers a newer one supersedes (rule 27). */
  readonly coalescing: readonly string[];
}

/**
 * For each branch, by `branchKey`, its triggers that may be ended by what comes after them: the proposed ones, and the
 * tracked ones of targets that `coalesce`. All that are `queued` or `claimed`, and of the latest pushes also those that
 * run, and the latest of each target. `deciding`: ids of events that the caller's transaction will mark as decided;
 * another undecided deletion is not looked at. A branch that only targets track which do not `coalesce` is absent. The
 * caller holds the locks of the repositories.
 *
 * What has ended is most of what a branch has, and is walked past: by `triggers_proposed_claim_idx`, in which it is not.
 */
export async function listBranchTriggers(
  db: Database,
  branches: readonly BranchName[],
  deciding: readonly string[],
): Promise<ReadonlyMap<string, BranchWithTriggers>> {
  if (branches.length === 0) return new Map();
  const rows = await db.sql<BranchRow[]>`
    WITH branch AS MATERIALIZED (
      SELECT wanted.*, coalesce((
        SELECT chain <> 'unsure' FROM sluice.branches
        WHERE branches.repository_id = wanted.repository_id AND branches.name = wanted.name LIMIT 1
      ), true) AS is_certain
      FROM unnest(
        ${branches.map((branch) => branch.repositoryId)}::uuid[], ${branches.map((branch) => branch.name)}::text[]
      ) AS wanted (repository_id, name)
      WHERE EXISTS (
        SELECT FROM sluice.targets
        WHERE targets.repository_id = wanted.repository_id AND removed_at IS NULL
          AND (tracked_branch <> wanted.name OR targets.coalesce)
        OFFSET 0
      )
    ), coalescing AS MATERIALIZED (
      SELECT repository_id, id FROM sluice.targets
      WHERE repository_id = ANY(ARRAY(SELECT repository_id FROM branch)) AND removed_at IS NULL AND targets.coalesce
    ), push AS MATERIALIZED (
      SELECT branch.repository_id, branch.name, push.*
      FROM branch CROSS JOIN LATERAL (
        SELECT id, sequence, row_number() OVER (ORDER BY sequence DESC) AS place,
               change = 'deleted' AND NOT told_again
               AND (decided_at IS NOT NULL OR id = ANY(${deciding}::uuid[])) AS is_deletion
        FROM sluice.events
        WHERE events.repository_id = branch.repository_id AND ref_kind = 'branch' AND ref_name = branch.name
        ORDER BY sequence DESC LIMIT ${MAX_PUSHES}
      ) AS push
    ), made AS (
      SELECT push.repository_id, push.name, made.*
      FROM push CROSS JOIN LATERAL (
        SELECT ${facts(db)} FROM sluice.triggers
        WHERE position = push.sequence AND run_type = 'proposed' AND state IN ('queued', 'claimed') OFFSET 0
      ) AS made
      WHERE made.event_id = push.id
      UNION
      SELECT push.repository_id, push.name, made.*
      FROM push CROSS JOIN LATERAL (
        SELECT ${facts(db)} FROM sluice.triggers WHERE event_id = push.id OFFSET 0
      ) AS made
      WHERE push.place <= ${LATEST_PUSHES}
        AND (run_type = 'proposed' OR target_id IN (SELECT id FROM coalescing))
      UNION
      SELECT branch.repository_id, branch.name, made.*
      FROM branch JOIN coalescing USING (repository_id)
      CROSS JOIN LATERAL (
        SELECT ${facts(db)} FROM sluice.triggers
        WHERE target_id = coalescing.id AND run_type = 'tracked' AND state IN ('blocked', 'queued')
          AND ref_name = branch.name
        OFFSET 0
      ) AS made
    ), ended AS (
      SELECT DISTINCT ON (repository_id, name) repository_id, name,
             json_build_object('position', sequence, 'eventId', id) AS deletion
      FROM push WHERE is_deletion ORDER BY repository_id, name, sequence DESC
    ), listed AS (
      SELECT repository_id, name, json_agg(json_build_object(
               'id', id, 'targetId', target_id, 'runType', run_type, 'position', position, 'eventId', event_id,
               'standing', standing
             )) AS triggers
      FROM (
        SELECT *, row_number() OVER (
          PARTITION BY repository_id, name, target_id, run_type ORDER BY position DESC
        ) AS place FROM made
      ) AS ranked
      WHERE place = 1 OR standing IN ('unclaimed', 'held')
      GROUP BY repository_id, name
    )
    SELECT repository_id, name, is_certain,
           (SELECT coalesce(json_agg(id), '[]') FROM coalescing
            WHERE coalescing.repository_id = branch.repository_id) AS coalescing,
           ended.deletion, coalesce(listed.triggers, '[]') AS triggers
    FROM branch LEFT JOIN ended USING (repository_id, name) LEFT JOIN listed USING (repository_id, name)`;
  return new Map(rows.map(({ repositoryId, name, ...rest }) => [branchKey({ repositoryId, name }), rest]));
}

type BranchRow = BranchName & BranchWithTriggers;

/**
 * What `judgeTriggers` is to be told. Ended because of what came after it: `superseded`, or `canceled` while nobody held
 * it and without a request, which only a branch's deletion does.
 */
function facts(db: Database) {
  return db.sql`
    id, target_id, run_type, position, event_id,
    CASE
      WHEN state IN ('blocked', 'queued') THEN 'unclaimed'
      WHEN ${isHeld(db)} AND NOT cancel_requested THEN 'held'
      WHEN ${isOutdated(db)} THEN 'outdated'
      ELSE 'settled'
    END AS standing`;
}

function isOutdated(db: Database) {
  return db.sql`
    (triggers.state = 'superseded'
       OR (triggers.state = 'canceled' AND NOT triggers.cancel_requested AND triggers.lease_token IS NULL))
    AND triggers.created_at > now() - ${MAX_REVIVAL_DAYS} * interval '1 day'`;
}

/**
 * Does what was judged, each with a line of history, in one statement, which looks rows up one by one: OFFSET lets no join
 * be made of that, and where one condition is asked alone, it is for its index, also while a table has no statistics. By the states that the triggers have by then: one
 * that was claimed meanwhile gets its holder asked to stop, and one that has ended stays as it is. A trigger is left alone
 * while another branch stands at its commit whose push counted as its duplicate (rule 26): nothing else runs that.
 */
export async function applyVerdicts(db: Database, verdicts: readonly TriggerVerdict[]): Promise<void> {
  if (verdicts.length === 0) return;
  const ends = verdicts.map(toEnd);
  await db.sql`
    WITH verdict AS MATERIALIZED (
      SELECT * FROM unnest(
        ${verdicts.map(({ triggerId }) => triggerId)}::uuid[],
        ${ends.map(({ state }) => state)}::text[],
        ${ends.map(({ because }) => because)}::text[]
      ) AS verdict (id, state, because)
    ), relied_on AS MATERIALIZED (
      SELECT verdict.id
      FROM verdict JOIN sluice.triggers ON triggers.id = verdict.id
      CROSS JOIN LATERAL (
        SELECT id, repository_id, ref_kind, ref_name FROM sluice.events WHERE new_sha = triggers.commit_sha OFFSET 0
      ) AS push
      WHERE verdict.state <> 'queued'
        AND push.repository_id = triggers.repository_id AND ref_kind = 'branch' AND push.ref_name <> triggers.ref_name
        AND EXISTS (
          SELECT FROM sluice.branches
          WHERE branches.repository_id = triggers.repository_id AND name = push.ref_name
            AND head_sha = triggers.commit_sha
          OFFSET 0
        )
        AND EXISTS (
          SELECT FROM sluice.decisions
          WHERE event_id = push.id AND decisions.target_id = triggers.target_id AND reason = 'duplicate'
            AND evidence #>> '{duplicateOf,triggerId}' = triggers.id::text
          OFFSET 0
        )
    ), changed AS (
      UPDATE sluice.triggers
      SET state = CASE WHEN ${isHeld(db)} THEN triggers.state ELSE verdict.state END,
          cancel_requested = triggers.cancel_requested OR ${isHeld(db)},
          message = CASE WHEN ${isHeld(db)} THEN message WHEN verdict.state <> 'queued' THEN verdict.because END,
          updated_at = now()
      FROM verdict
      WHERE triggers.id = verdict.id AND NOT EXISTS (SELECT FROM relied_on WHERE relied_on.id = verdict.id)
        AND CASE
          WHEN verdict.state = 'queued' THEN ${isOutdated(db)}
          ELSE triggers.state IN ('blocked', 'queued')
            OR (${isHeld(db)} AND run_type = 'proposed' AND NOT cancel_requested)
        END
      RETURNING triggers.id, triggers.state, verdict.because, ${isHeld(db)} AS is_held
    )
    -- Not now(): of one that the same transaction made, this is the second line.
    INSERT INTO sluice.trigger_history (trigger_id, state, actor, note, at)
    SELECT id, state, 'worker', CASE WHEN is_held THEN 'asked its holder to stop: ' ELSE '' END || because,
           clock_timestamp()
    FROM changed`;
}

function isHeld(db: Database) {
  return db.sql`triggers.state IN ('claimed', 'running', 'waiting')`;
}

function toEnd(verdict: TriggerVerdict): { readonly state: string; readonly because: string } {
  switch (verdict.kind) {
    case "superseded":
      return { state: "superseded", because: `trigger ${verdict.newerId} is of a newer push to its branch` };
    case "branch_deleted":
      return { state: "canceled", because: "its branch was deleted" };
    case "revived":
      return { state: "queued", because: "nothing newer has happened to its branch after all" };
    default:
      return assertNever(verdict);
  }
}
