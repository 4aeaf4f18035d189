import type { Database } from "./client.ts";

/**
 * Takes one call from a credential's budget: at most `calls_per_hour` in any sixty minutes, none before
 * `blocked_until`. The count is shared by every worker and read by the database's clock.
 * @returns 0 when the call may be made, else after how many milliseconds to ask again.
 */
export async function takeCall(db: Database, integrationId: string): Promise<number> {
  const [row] = await db.sql<{ waitMs: number }[]>`
    WITH budget AS (
      INSERT INTO sluice.call_budgets (integration_id) VALUES (${integrationId})
      -- Locks the row, so that two workers never take the last call together.
      ON CONFLICT (integration_id) DO UPDATE SET integration_id = excluded.integration_id
      RETURNING calls_per_hour, blocked_until
    ), used AS (
      SELECT coalesce(sum(calls), 0) AS calls, min(minute) AS oldest
      FROM sluice.call_counts
      WHERE integration_id = ${integrationId} AND minute > now() - interval '1 hour'
    ), wait AS (
      SELECT CASE
        WHEN budget.blocked_until > clock_timestamp()
          THEN ceil(extract(epoch FROM budget.blocked_until - clock_timestamp()) * 1000)
        WHEN used.calls >= budget.calls_per_hour
          THEN greatest(1000, ceil(extract(epoch FROM used.oldest + interval '1 hour' - clock_timestamp()) * 1000))
        ELSE 0
      END::int AS wait_ms
      FROM budget, used
    ), counted AS (
      INSERT INTO sluice.call_counts AS counts (integration_id, minute, calls)
      SELECT ${integrationId}, date_trunc('minute', now()), 1 FROM wait WHERE wait_ms = 0
      ON CONFLICT (integration_id, minute) DO UPDATE SET calls = counts.calls + 1
    )
    SELECT wait_ms FROM wait`;
  return row?.waitMs ?? 0;
}

/** After a 429: no call for `forMs`; a longer block that is known already stays. */
export async function blockCalls(db: Database, integrationId: string, forMs: number): Promise<void> {
  await db.sql`
    INSERT INTO sluice.call_budgets AS budget (integration_id, blocked_until)
    VALUES (${integrationId}, now() + ${forMs} * interval '1 millisecond')
    ON CONFLICT (integration_id) DO UPDATE
      SET blocked_until = greatest(budget.blocked_until, excluded.blocked_until)`;
}

/** What Bitbucket said the limit of a credential is. */
export async function setCallLimit(db: Database, integrationId: string, callsPerHour: number): Promise<void> {
  await db.sql`
    INSERT INTO sluice.call_budgets (integration_id, calls_per_hour) VALUES (${integrationId}, ${callsPerHour})
    ON CONFLICT (integration_id) DO UPDATE SET calls_per_hour = excluded.calls_per_hour`;
}

/** Calls left in the present hour, by integration; for the metrics. */
export async function listRemainingCalls(
  db: Database,
): Promise<{ readonly integrationId: string; readonly remaining: number }[]> {
  return db.sql<{ integrationId: string; remaining: number }[]>`
    SELECT integration_id, greatest(0, calls_per_hour - coalesce((
      SELECT sum(calls) FROM sluice.call_counts
      WHERE call_counts.integration_id = call_budgets.integration_id AND minute > now() - interval '1 hour'
    ), 0))::int AS remaining
    FROM sluice.call_budgets`;
}

/** Forgets counts that no rolling hour includes any more. */
export async function deleteOldCallCounts(db: Database): Promise<void> {
  await db.sql`DELETE FROM sluice.call_counts WHERE minute < now() - interval '2 hours'`;
}
