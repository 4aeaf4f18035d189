/** What came of the events of a database's history. */
import type postgres from "postgres";
import type { RowCounts } from "./old-deliveries.ts";

const CHANGES = JSON.stringify({
  known: true,
  matched: [{ path: "network/main.tf", rule: "project_root" }],
  total: 14,
});
const EVIDENCE = JSON.stringify({
  tracked: { branch: "main", is: false },
  files: { known: true, total: 14, matched: [{ path: "network/main.tf", rule: "project_root" }] },
});

/** One for each push to a branch, of the repository's first stack, with a line of history for each state that it had. */
export async function insertTriggers(sql: postgres.Sql): Promise<RowCounts> {
  await sql`
    CREATE TEMPORARY TABLE new_triggers AS
    SELECT *, uuidv7(at - now()) AS trigger_id FROM steps WHERE told IN ('push', 'merge') ORDER BY sequence`;
  const triggers = await sql`
    INSERT INTO sluice.triggers
      (id, target_id, repository_id, source_repository_id, event_id, run_type, commit_sha, ref_name, base_sha, branch_arrival,
       position, state, attempt, changes, created_at, updated_at)
    SELECT trigger_id, target_id, repository_id, repository_id, event_id,
           CASE WHEN told = 'merge' THEN 'tracked' ELSE 'proposed' END, sha,
           CASE WHEN told = 'merge' THEN 'main' ELSE branch END, old_sha, sequence, sequence,
           CASE WHEN n % 10 = 0 THEN 'failed' ELSE 'succeeded' END, 1, ${CHANGES}::text::jsonb, at, at + interval '5 minutes'
    FROM new_triggers ORDER BY sequence`;
  const history = await sql`
    INSERT INTO sluice.trigger_history (id, trigger_id, state, actor, at)
    SELECT uuidv7(at - now()), trigger_id,
           CASE WHEN past = 'ended' THEN CASE WHEN n % 10 = 0 THEN 'failed' ELSE 'succeeded' END ELSE past END, 'a scheduler', at
    FROM new_triggers, unnest(ARRAY['queued', 'claimed', 'running', 'ended']) AS past ORDER BY sequence`;
  return { triggers: triggers.count, history: history.count };
}

/** One for each event and stack of its repository; for an event that concerns none, one. */
export async function insertDecisions(sql: postgres.Sql): Promise<RowCounts> {
  await sql`ANALYZE new_triggers`;
  const decisions = await sql`
    INSERT INTO sluice.decisions (id, event_id, target_id, outcome, run_type, reason, evidence, trigger_id, decided_at)
    SELECT uuidv7(at - now()), steps.event_id, targets.id, CASE WHEN trigger_id IS NULL THEN 'ignore' ELSE 'trigger' END,
           CASE WHEN trigger_id IS NOT NULL THEN CASE WHEN told = 'merge' THEN 'tracked' ELSE 'proposed' END END,
           CASE WHEN trigger_id IS NOT NULL THEN 'triggered' WHEN told = 'unsupported' THEN 'unsupported_event'
                WHEN targets.id <> steps.target_id THEN 'outside_project_root' WHEN told = 'tag' THEN 'tag'
                WHEN told = 'end' THEN 'branch_deleted' WHEN step = 8 THEN 'closed' WHEN step = 7 THEN 'not_a_command'
                WHEN step = 6 THEN 'metadata_only' ELSE 'duplicate' END,
           ${EVIDENCE}::text::jsonb, trigger_id, at
    FROM steps
    LEFT JOIN sluice.targets ON targets.repository_id = steps.repository_id AND told <> 'unsupported'
    LEFT JOIN LATERAL (
      SELECT trigger_id FROM new_triggers
      WHERE new_triggers.event_id = steps.event_id AND new_triggers.target_id = targets.id
    ) AS made ON true
    WHERE told <> 'failed' ORDER BY sequence`;
  return { decisions: decisions.count };
}
