import type { Database } from "./client.ts";

/** How much there is. Counts whole tables: for small installations and people, not for a hot path. */
export async function countRecords(
  db: Database,
): Promise<{ readonly deliveries: number; readonly triggers: number }> {
  const [row] = await db.sql<{ deliveries: number; triggers: number }[]>`
    SELECT (SELECT count(*) FROM sluice.deliveries) AS deliveries, (SELECT count(*) FROM sluice.triggers) AS triggers`;
  return row ?? { deliveries: 0, triggers: 0 };
}
