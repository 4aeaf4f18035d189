/** Whether Bitbucket may be asked on behalf of an integration. */
import type { AskingStanding } from "@sluice/domain/event-waits";

import type { Database } from "./client.ts";
import { findCredentialRefused } from "./credential-breaker.ts";
import { toRfc3339 } from "./rfc3339.ts";

/** @returns null when there is no such integration. One that is deleted has no credential. */
export async function findIntegrationStanding(
  db: Database,
  integrationId: string,
): Promise<AskingStanding | null> {
  const [row] = await db.sql<Omit<AskingStanding, "refused">[]>`
    SELECT deleted_at IS NULL AND credential_ciphertext IS NOT NULL AS has_credential,
           CASE WHEN blocked_until > now() THEN blocked_until END AS blocked_until,
           coalesce((
             SELECT sum(calls) FROM sluice.call_counts
             WHERE call_counts.integration_id = integrations.id AND minute > now() - interval '1 hour'
           ) >= least(calls_per_hour, learned_calls_per_hour), false) AS is_budget_spent
    FROM sluice.integrations LEFT JOIN sluice.call_budgets ON call_budgets.integration_id = integrations.id
    WHERE integrations.id = ${integrationId}`;
  if (row === undefined) return null;
  const refused = await findCredentialRefused(db, integrationId);
  return {
    ...row,
    refused:
      refused === null
        ? null
        : { since: refused.since, httpStatus: refused.httpStatus, nextCheckAt: refused.nextCheckAt },
    blockedUntil: row.blockedUntil === null ? null : toRfc3339(row.blockedUntil),
  };
}
