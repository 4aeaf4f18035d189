import type { Reach } from "@sluice/domain/access";
import type postgres from "postgres";

import type { Database } from "./client.ts";

/** The condition that a space's id, or null for the account as a whole, is within reach. */
export function isReached(
  db: Database,
  reach: Reach,
  spaceId: postgres.PendingQuery<postgres.Row[]>,
): postgres.PendingQuery<postgres.Row[]> {
  return reach.kind === "everywhere"
    ? db.sql`true`
    : db.sql`${spaceId} = ANY(${[...reach.spaceIds]}::uuid[])`;
}
