/** Whether Bitbucket may be asked on behalf of an integration. */
import type { Database } from "./client.ts";
import { toRfc3339 } from "./rfc3339.ts";

/** What can keep an integration from asking. */
export interface IntegrationStanding {
  /** False also for one that is deleted. */
  readonly hasCredential: boolean;
  /** RFC 3339: after a 429, no call before; null when that is over, or never was. */
  readonly blockedUntil: string | null;
  /** Whether all calls of the last hour that are allowed were made. */
  readonly isBudgetSpent: boolean;
}

/** @returns null when there is no such integration. */
export async function findIntegrationStanding(
  db: Database,
  integrationId: string,
): Promise<IntegrationStanding | null> {
  const [row] = await db.sql<IntegrationStanding[]>`
    SELECT deleted_at IS NULL AND credential_ciphertext IS NOT NULL AS has_credential,
           CASE WHEN blocked_until > now() THEN blocked_until END AS blocked_until,
           coalesce((
             SELECT sum(calls) FROM sluice.call_counts
             WHERE call_counts.integration_id = integrations.id AND minute > now() - interval '1 hour'
           ) >= least(calls_per_hour, learned_calls_per_hour), false) AS is_budget_spent
    FROM sluice.integrations LEFT JOIN sluice.call_budgets ON call_budgets.integration_id = integrations.id
    WHERE integrations.id = ${integrationId}`;
  if (row === undefined) return null;
  return { ...row, blockedUntil: row.blockedUntil === null ? null : toRfc3339(row.blockedUntil) };
}
