/** Whether a database holds after the measurement what it has to hold, and nothing else. */
import type { RetentionPolicy } from "@sluice/worker/repair/retention";
import type postgres from "postgres";

/**
 * Every push is there with its decisions; no body is left that is older than its days, but of deliveries that could not be
 * read; and no delivery that is older than its days and was never needed by anything.
 * @throws Error that says what is not so: the run is void.
 */
export async function assertRetained(
  sql: postgres.Sql,
  {
    policy,
    pushed,
    filledAt,
  }: { readonly policy: RetentionPolicy; readonly pushed: number; readonly filledAt: string },
): Promise<void> {
  const wanted: Readonly<Record<string, number>> = { pushed, undecided: 0, bodies: 0, deliveries: 0 };
  const [found = {}] = await sql<Record<string, number>[]>`
    SELECT (SELECT count(*)::int FROM sluice.deliveries WHERE recorded_at > ${filledAt}::timestamptz) AS pushed,
           (SELECT count(*)::int FROM sluice.events WHERE decided_at IS NULL) AS undecided,
           (SELECT count(*)::int FROM sluice.delivery_bodies JOIN sluice.deliveries ON id = delivery_id
            WHERE outcome <> 'failed' AND deliveries.recorded_at < ${filledAt}::timestamptz - ${policy.rawDays} * interval '1 day') AS bodies,
           (SELECT count(*)::int FROM sluice.deliveries LEFT JOIN sluice.events ON delivery_id = deliveries.id
            WHERE deliveries.recorded_at < ${filledAt}::timestamptz - ${policy.decisionsDays} * interval '1 day'
              AND (outcome <> 'events' OR change = 'deleted' OR ref_kind = 'tag')) AS deliveries`;
  const wrong = Object.entries(wanted).filter(([name, count]) => found[name] !== count);
  if (wrong.length === 0) return;
  const list = wrong.map(([name, count]) => `${name}: ${found[name] ?? 0} instead of ${count}`).join(", ");
  throw new Error(`the run is void, Postgres does not hold what it has to: ${list}`);
}
