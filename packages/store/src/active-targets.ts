import type { Database } from "./client.ts";

/**
 * The condition that a row of `targets` is there and switched on, and so is the integration that it uses: Bitbucket is
 * looked at for it (rule 34).
 */
export function isActiveTarget({ sql }: Database) {
  return sql`targets.removed_at IS NULL AND targets.enabled AND EXISTS (
    SELECT FROM sluice.integrations WHERE integrations.id = targets.integration_id AND integrations.enabled
  )`;
}
