/**
 * Whether what came of a repository is within reach: when its integration's space is, or it has a target that is. Which
 * integrations and repositories that are is asked once a statement; what a row needs besides is asked by an index and cannot
 * become a join, so that a list ends with its page, however much there is.
 */
import type { Reach } from "@sluice/domain/access";
import type postgres from "postgres";

import type { Database } from "./client.ts";
import { isReached } from "./reach.ts";

type Condition = postgres.PendingQuery<postgres.Row[]>;

/** The condition that a row of `deliveries` is within reach. */
export function isDeliveryReached(db: Database, reach: Reach): Condition {
  const { sql } = db;
  if (reach.kind === "everywhere") return sql`true`;
  return sql`(
    deliveries.integration_id IN (${reachedIntegrations(db, reach)})
    OR deliveries.integration_id IN (
      SELECT integration_id FROM sluice.repositories WHERE repositories.id IN (${reachedRepositories(db, reach)})
    ) AND coalesce((
      SELECT true FROM sluice.events AS told
      WHERE told.delivery_id = deliveries.id AND told.repository_id = ANY(ARRAY(${reachedRepositories(db, reach)}))
      LIMIT 1
    ), false)
  )`;
}

/** The condition that a row of `events` is within reach. */
export function isEventReached(db: Database, reach: Reach): Condition {
  const { sql } = db;
  if (reach.kind === "everywhere") return sql`true`;
  return sql`(
    events.repository_id IN (${reachedRepositories(db, reach)})
    OR events.repository_id IS NULL AND coalesce((
      SELECT told_by.integration_id IN (${reachedIntegrations(db, reach)})
      FROM sluice.deliveries AS told_by WHERE told_by.id = events.delivery_id
    ), false)
  )`;
}

/** The condition that a row of `pull_requests` is within reach. */
export function isPullRequestReached(db: Database, reach: Reach): Condition {
  const { sql } = db;
  if (reach.kind === "everywhere") return sql`true`;
  return sql`pull_requests.repository_id IN (${reachedRepositories(db, reach)})`;
}

/** The condition that a row of `decisions` is within reach: by its target, or by its event where it concerns none. */
export function isDecisionReached(db: Database, reach: Reach): Condition {
  const { sql } = db;
  if (reach.kind === "everywhere") return sql`true`;
  return sql`(
    decisions.target_id IN (
      SELECT reached.id FROM sluice.targets AS reached WHERE ${isReached(db, reach, sql`reached.space_id`)}
    )
    OR decisions.target_id IS NULL AND coalesce((
      SELECT ${isEventReached(db, reach)} FROM sluice.events WHERE events.id = decisions.event_id
    ), false)
  )`;
}

function reachedIntegrations(db: Database, reach: Reach): Condition {
  const { sql } = db;
  return sql`SELECT reached.id FROM sluice.integrations AS reached WHERE ${isReached(db, reach, sql`reached.space_id`)}`;
}

function reachedRepositories(db: Database, reach: Reach): Condition {
  const { sql } = db;
  return sql`
    SELECT reached.id FROM sluice.repositories AS reached
    WHERE reached.integration_id IN (
      SELECT id FROM sluice.integrations WHERE ${isReached(db, reach, sql`integrations.space_id`)}
    )
    UNION ALL
    SELECT reached.repository_id FROM sluice.targets AS reached
    WHERE reached.removed_at IS NULL AND ${isReached(db, reach, sql`reached.space_id`)}`;
}
