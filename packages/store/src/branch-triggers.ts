/** The triggers of a branch, and their ends because of what came after them (rules 22, 23, 27). */
import { assertNever } from "@sluice/domain/assert-never";
import type { BranchTriggers, PullRequestClosing, TriggerVerdict } from "@sluice/domain/outdated";

import { LATEST_PUSHES } from "./branch-pushes.ts";
import type { Database } from "./client.ts";

/** As many of a branch's pushes as are looked at for its deletion, and for the head of a closed pull request. */
const MAX_PUSHES = 500;
/** As many of a branch's pull requests as are looked at, and of the latest events of each. */
const MAX_PULL_REQUESTS = 20;
const MAX_REPORTS = 50;
/** As many digits of a commit as pull request events tell. */
const TOLD_DIGITS = 12;
/** What ended longer ago does not come back: what came after it may be gone from the store. */
const MAX_REVIVAL_DAYS = 1;

/** A branch, and whose targets it concerns: those of its own repository, or those of another, of which that is a fork. */
export interface TargetedBranch {
  /** The targets'. */
  readonly repositoryId: string;
  /** The repository that `name` is a branch of. */
  readonly sourceRepositoryId: string;
  readonly name: string;
}

/** A branch's place in the map of `listBranchTriggers`. */
export function targetedBranchKey({ repositoryId, sourceRepositoryId, name }: TargetedBranch): string {
  return `${repositoryId} ${sourceRepositoryId} ${name}`;
}

/** A branch with its triggers. */
export interface BranchWithTriggers extends Omit<BranchTriggers, "closing"> {
  /** Ids of the targets whose tracked triggers a newer one supersedes (rule 27). */
  readonly coalescing: readonly string[];
  /** Of pull requests that were closed without a merge; empty while one of the branch is open. */
  readonly closings: readonly PullRequestClosing[];
}

/**
 * For each branch, by `targetedBranchKey`, its triggers that may be ended by what comes after them: the proposed ones, and
 * the tracked ones of targets that `coalesce`. All that are open, and the latest of each target among those of the latest
 * pushes and of the reports of its pull requests. `deciding`: ids of events that the caller's transaction will mark as
 * decided; another undecided deletion is not looked at. A branch without a pull request is absent when only targets track it
 * which do not `coalesce`. The caller holds the locks of the repositories.
 *
 * A fork's branch is told by its pull requests alone: the fork's own pushes concern the fork's own targets (rule 11). What
 * has ended is most of what a branch has, and is walked past: by `triggers_branch_open_idx`, in which it is not.
 */
export async function listBranchTriggers(
  db: Database,
  branches: readonly TargetedBranch[],
  deciding: readonly string[],
): Promise<ReadonlyMap<string, BranchWithTriggers>> {
  if (branches.length === 0) return new Map();
  const rows = await db.sql<BranchRow[]>`
    WITH branch AS MATERIALIZED (
      SELECT wanted.*, coalesce((
        SELECT chain <> 'unsure' FROM sluice.branches
        WHERE branches.repository_id = wanted.source_repository_id AND branches.name = wanted.name
          AND wanted.repository_id = wanted.source_repository_id
        LIMIT 1
      ), true) AS is_certain
      FROM unnest(
        ${branches.map((branch) => branch.repositoryId)}::uuid[],
        ${branches.map((branch) => branch.sourceRepositoryId)}::uuid[],
        ${branches.map((branch) => branch.name)}::text[]
      ) WITH ORDINALITY AS wanted (repository_id, source_repository_id, name, nr)
      WHERE EXISTS (
        SELECT FROM sluice.targets
        WHERE targets.repository_id = wanted.repository_id AND removed_at IS NULL
          AND (tracked_branch <> wanted.name OR targets.coalesce)
        OFFSET 0
      ) OR EXISTS (
        SELECT FROM sluice.pull_requests
        WHERE pull_requests.source_repository_id = wanted.source_repository_id AND source_branch = wanted.name
          AND pull_requests.repository_id = wanted.repository_id AND ${isRecent(db)}
        OFFSET 0
      )
    ), coalescing AS MATERIALIZED (
      SELECT nr, id, branch.source_repository_id, branch.name
      FROM branch JOIN sluice.targets ON targets.repository_id = branch.repository_id
      WHERE removed_at IS NULL AND targets.coalesce
    ), push AS MATERIALIZED (
      SELECT nr, push.*
      FROM branch CROSS JOIN LATERAL (
        SELECT id, sequence, new_sha, told_again, row_number() OVER (ORDER BY sequence DESC) AS place,
               change = 'deleted' AND NOT told_again
               AND (decided_at IS NOT NULL OR id = ANY(${deciding}::uuid[])) AS is_deletion
        FROM sluice.events
        WHERE events.repository_id = branch.source_repository_id AND ref_kind = 'branch' AND ref_name = branch.name
        ORDER BY sequence DESC LIMIT ${MAX_PUSHES}
      ) AS push
      WHERE branch.repository_id = branch.source_repository_id
    ), pull_request AS MATERIALIZED (
      SELECT nr, pull_request.*
      FROM branch CROSS JOIN LATERAL (
        SELECT repository_id, number, state, source_sha, head_arrival, ${isRecent(db)} AS is_recent
        FROM sluice.pull_requests
        WHERE pull_requests.source_repository_id = branch.source_repository_id AND source_branch = branch.name
          AND pull_requests.repository_id = branch.repository_id
        ORDER BY state = 'OPEN' DESC, head_arrival DESC LIMIT ${MAX_PULL_REQUESTS}
      ) AS pull_request
    ), report AS MATERIALIZED (
      SELECT nr, report.id
      FROM pull_request CROSS JOIN LATERAL (
        SELECT id FROM sluice.events
        WHERE events.repository_id = pull_request.repository_id AND pull_request_number = pull_request.number
        ORDER BY sequence DESC LIMIT ${MAX_REPORTS}
      ) AS report
      WHERE is_recent
    ), made AS (
      SELECT nr, made.*
      FROM branch CROSS JOIN LATERAL (
        SELECT ${facts(db)}, repository_id AS made_for FROM sluice.triggers
        WHERE triggers.source_repository_id = branch.source_repository_id AND ref_name = branch.name
          AND run_type = 'proposed' AND state IN ('blocked', 'queued', 'claimed', 'running', 'waiting')
        OFFSET 0
      ) AS made
      WHERE made_for = branch.repository_id
      UNION
      SELECT source.nr, made.*
      FROM (
        SELECT nr, id FROM push WHERE place <= ${LATEST_PUSHES} UNION ALL SELECT nr, id FROM report
      ) AS source
      CROSS JOIN LATERAL (
        SELECT ${facts(db)}, repository_id AS made_for FROM sluice.triggers WHERE event_id = source.id OFFSET 0
      ) AS made
      WHERE run_type = 'proposed' OR target_id IN (SELECT id FROM coalescing)
      UNION
      SELECT nr, made.*
      FROM coalescing CROSS JOIN LATERAL (
        SELECT ${facts(db)}, repository_id AS made_for FROM sluice.triggers
        WHERE target_id = coalescing.id AND run_type = 'tracked' AND state IN ('blocked', 'queued')
          AND ref_name = coalescing.name AND triggers.source_repository_id = coalescing.source_repository_id
        OFFSET 0
      ) AS made
    ), ended AS (
      SELECT DISTINCT ON (nr) nr, json_build_object('position', sequence, 'eventId', id) AS deletion
      FROM push WHERE is_deletion ORDER BY nr, sequence DESC
    ), closing AS (
      SELECT pull_request.nr, number, source_sha, coalesce(max(push.sequence), head_arrival) AS position
      FROM pull_request LEFT JOIN push
        ON push.nr = pull_request.nr AND NOT told_again
        AND (starts_with(new_sha, source_sha) OR starts_with(source_sha, new_sha))
      WHERE state NOT IN ('OPEN', 'MERGED')
        AND pull_request.nr NOT IN (SELECT nr FROM pull_request WHERE state = 'OPEN')
      GROUP BY pull_request.nr, number, source_sha, head_arrival
    ), closed AS (
      SELECT nr, json_agg(json_build_object('number', number, 'headSha', source_sha, 'position', position)) AS closings
      FROM closing GROUP BY nr
    ), listed AS (
      SELECT nr, json_agg(json_build_object(
               'id', id, 'targetId', target_id, 'runType', run_type, 'commitSha', commit_sha, 'position', position,
               'eventId', event_id, 'standing', standing
             )) AS triggers
      FROM (
        SELECT *, row_number() OVER (PARTITION BY nr, target_id, run_type ORDER BY position DESC) AS place FROM made
      ) AS ranked
      WHERE place = 1 OR standing IN ('unclaimed', 'held')
      GROUP BY nr
    )
    SELECT repository_id, source_repository_id, name, is_certain,
           (SELECT coalesce(json_agg(id), '[]') FROM coalescing WHERE coalescing.nr = branch.nr) AS coalescing,
           ended.deletion, coalesce(closed.closings, '[]') AS closings, coalesce(listed.triggers, '[]') AS triggers
    FROM branch LEFT JOIN ended USING (nr) LEFT JOIN closed USING (nr) LEFT JOIN listed USING (nr)`;
  return new Map(
    rows.map(({ repositoryId, sourceRepositoryId, name, ...rest }) => [
      targetedBranchKey({ repositoryId, sourceRepositoryId, name }),
      rest,
    ]),
  );
}

type BranchRow = TargetedBranch & BranchWithTriggers;

/** Of a pull request, by whose triggers something may still have to be done. */
function isRecent(db: Database) {
  return db.sql`
    (pull_requests.state = 'OPEN' OR pull_requests.recorded_at > now() - ${MAX_REVIVAL_DAYS} * interval '1 day')`;
}

/** What `judgeTriggers` is to be told. */
function facts(db: Database) {
  return db.sql`
    id, target_id, run_type, commit_sha, position, event_id,
    CASE WHEN ${isOutdated(db)} AND triggers.created_at <= now() - ${MAX_REVIVAL_DAYS} * interval '1 day' THEN 'settled'
    ELSE ${standing(db)} END AS standing`;
}

/** How a trigger stands, as `BranchTrigger` has it; one that is outdated, however long ago. */
export function standing(db: Database) {
  return db.sql`
    CASE
      WHEN triggers.state IN ('blocked', 'queued') THEN 'unclaimed'
      WHEN ${isHeld(db)} AND NOT triggers.cancel_requested THEN 'held'
      WHEN ${isOutdated(db)} THEN 'outdated'
      ELSE 'settled'
    END`;
}

/**
 * Ended because of what came after it: `superseded`, or `canceled` while nobody held it and without a request, which only
 * the end of its branch or of its pull request does.
 */
function isOutdated(db: Database) {
  return db.sql`
    (triggers.state = 'superseded'
       OR (triggers.state = 'canceled' AND NOT triggers.cancel_requested AND triggers.lease_token IS NULL))`;
}

/**
 * Does what was judged, each with a line of history, in one statement, which looks rows up one by one: OFFSET lets no join
 * be made of that, and where one condition is asked alone, it is for its index, also while a table has no statistics. By the states that the triggers have by then: one
 * that was claimed meanwhile gets its holder asked to stop, and one that has ended stays as it is. A trigger is left alone
 * while another branch stands at its commit whose push, or pull request, counted as its duplicate (rule 26): nothing else
 * runs that.
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
        SELECT id, repository_id, ref_kind, ref_name, pull_request_number FROM sluice.events
        WHERE new_sha = ANY(ARRAY[triggers.commit_sha, left(triggers.commit_sha, ${TOLD_DIGITS})]) OFFSET 0
      ) AS told
      WHERE verdict.state <> 'queued' AND told.repository_id = triggers.repository_id
        AND (
          EXISTS (
            SELECT FROM sluice.branches
            WHERE branches.repository_id = triggers.repository_id AND name = told.ref_name
              AND head_sha = triggers.commit_sha AND ref_kind = 'branch'
              AND (name <> triggers.ref_name OR triggers.source_repository_id <> triggers.repository_id)
            OFFSET 0
          ) OR EXISTS (
            SELECT FROM sluice.pull_requests
            WHERE pull_requests.repository_id = triggers.repository_id AND number = told.pull_request_number
              AND pull_requests.state = 'OPEN' AND starts_with(triggers.commit_sha, source_sha)
              AND (source_branch <> triggers.ref_name
                OR pull_requests.source_repository_id <> triggers.source_repository_id)
            OFFSET 0
          )
        )
        AND EXISTS (
          SELECT FROM sluice.decisions
          WHERE event_id = told.id AND decisions.target_id = triggers.target_id AND reason = 'duplicate'
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
    case "pull_request_closed":
      return {
        state: "canceled",
        because: `pull request #${String(verdict.number)} of its branch was closed without a merge`,
      };
    case "revived":
      return { state: "queued", because: "nothing newer has happened to its branch after all" };
    default:
      return assertNever(verdict);
  }
}
