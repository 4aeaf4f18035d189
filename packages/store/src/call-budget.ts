import type { Database, Store } from "./client.ts";
import { withTransaction } from "./transaction.ts";

/** After a 429 that does not say for how long; Bitbucket's usual one does not. */
const DEFAULT_BLOCK_MS = 60_000;

/** The budget of each credential as whoever calls Bitbucket asks for it: kept here, so that all processes share it. */
export function createCallBudget(store: Store) {
  return {
    /** Takes one call, or says after how many milliseconds to ask again. */
    async take(
      integrationId: string,
    ): Promise<{ readonly granted: true } | { readonly granted: false; readonly retryAfterMs: number }> {
      const retryAfterMs = await takeCall(store, integrationId);
      return retryAfterMs === 0 ? { granted: true } : { granted: false, retryAfterMs };
    },
    /** Keeps what an answer taught: a 429, or what Bitbucket said the limit is. */
    async learn(
      integrationId: string,
      lesson:
        | { readonly kind: "limited"; readonly retryAfterMs: number | null }
        | { readonly kind: "limit"; readonly limitPerHour: number },
    ): Promise<void> {
      if (lesson.kind === "limited") {
        await blockCalls(store, integrationId, lesson.retryAfterMs ?? DEFAULT_BLOCK_MS);
      } else {
        await learnCallLimit(store, integrationId, lesson.limitPerHour);
      }
    },
  };
}

/**
 * Takes one call from a credential's budget: at most `calls_per_hour` in any sixty minutes (fewer, where Bitbucket said
 * that it allows fewer), none before `blocked_until`. The count is shared by every worker and read by the database's
 * clock.
 * @returns 0 when the call may be made, else after how many milliseconds to ask again.
 */
export async function takeCall(store: Store, integrationId: string): Promise<number> {
  return withTransaction(store, async (tx) => {
    // A statement of its own: what the next one counts is then what was committed before the row was ours.
    await tx.sql`
      INSERT INTO sluice.call_budgets (integration_id) VALUES (${integrationId})
      ON CONFLICT (integration_id) DO UPDATE SET integration_id = excluded.integration_id`;
    const [row] = await tx.sql<{ waitMs: number }[]>`
      WITH used AS (
        SELECT coalesce(sum(calls), 0) AS calls, min(minute) AS oldest
        FROM sluice.call_counts
        WHERE integration_id = ${integrationId} AND minute > now() - interval '1 hour'
      ), wait AS (
        SELECT CASE
          WHEN blocked_until > clock_timestamp()
            THEN ceil(extract(epoch FROM blocked_until - clock_timestamp()) * 1000)
          WHEN used.calls >= least(calls_per_hour, learned_calls_per_hour)
            THEN greatest(1000, ceil(extract(epoch FROM used.oldest + interval '1 hour' - clock_timestamp()) * 1000))
          ELSE 0
        END::int AS wait_ms
        FROM sluice.call_budgets, used WHERE call_budgets.integration_id = ${integrationId}
      ), counted AS (
        INSERT INTO sluice.call_counts AS counts (integration_id, minute, calls)
        SELECT ${integrationId}, date_trunc('minute', now()), 1 FROM wait WHERE wait_ms = 0
        ON CONFLICT (integration_id, minute) DO UPDATE SET calls = counts.calls + 1
      )
      SELECT wait_ms FROM wait`;
    return row?.waitMs ?? 0;
  });
}

/** After a 429: no call for `forMs`; a longer block that is known already stays. */
export async function blockCalls(db: Database, integrationId: string, forMs: number): Promise<void> {
  await db.sql`
    INSERT INTO sluice.call_budgets AS budget (integration_id, blocked_until)
    VALUES (${integrationId}, now() + ${forMs} * interval '1 millisecond')
    ON CONFLICT (integration_id) DO UPDATE
      SET blocked_until = greatest(budget.blocked_until, excluded.blocked_until)`;
}

/** What Bitbucket said the limit of a credential is. What an operator set stays: the lower one counts. */
export async function learnCallLimit(
  db: Database,
  integrationId: string,
  callsPerHour: number,
): Promise<void> {
  await db.sql`
    INSERT INTO sluice.call_budgets (integration_id, learned_calls_per_hour) VALUES (${integrationId}, ${callsPerHour})
    ON CONFLICT (integration_id) DO UPDATE SET learned_calls_per_hour = excluded.learned_calls_per_hour`;
}

/** What a credential may ask in an hour, and how much of that is left; null: it was never used. */
export async function findCallBudget(
  db: Database,
  integrationId: string,
): Promise<{ readonly perHour: number; readonly remaining: number } | null> {
  const [row] = await db.sql<{ perHour: number; remaining: number }[]>`
    SELECT least(calls_per_hour, learned_calls_per_hour) AS per_hour,
           greatest(0, least(calls_per_hour, learned_calls_per_hour) - coalesce((
             SELECT sum(calls) FROM sluice.call_counts
             WHERE call_counts.integration_id = call_budgets.integration_id AND minute > now() - interval '1 hour'
           ), 0))::int AS remaining
    FROM sluice.call_budgets WHERE integration_id = ${integrationId}`;
  return row ?? null;
}

/** Calls left in the present hour, by integration; for the metrics. */
export async function listRemainingCalls(
  db: Database,
): Promise<{ readonly integrationId: string; readonly remaining: number }[]> {
  return db.sql<{ integrationId: string; remaining: number }[]>`
    SELECT integration_id, greatest(0, least(calls_per_hour, learned_calls_per_hour) - coalesce((
      SELECT sum(calls) FROM sluice.call_counts
      WHERE call_counts.integration_id = call_budgets.integration_id AND minute > now() - interval '1 hour'
    ), 0))::int AS remaining
    FROM sluice.call_budgets`;
}

/** Forgets counts that no rolling hour includes any more. */
export async function deleteOldCallCounts(db: Database): Promise<void> {
  await db.sql`DELETE FROM sluice.call_counts WHERE minute < now() - interval '2 hours'`;
}
