/** How triggers stand to what comes after them, and how that ends them (rules 22, 23, 27). */
import { assertNever } from "@sluice/domain/assert-never";
import type { TriggerVerdict } from "@sluice/domain/outdated";

import type { Database } from "./client.ts";

/** As many digits of a commit as pull request events tell. */
const TOLD_DIGITS = 12;

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
export function isOutdated(db: Database) {
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
