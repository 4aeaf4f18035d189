/** What retention keeps and deletes of pull requests: parts of the statement in retention.ts. */
import type { Database } from "./client.ts";

/**
 * Whether an event is needed by a pull request that is open: it tells of the present head, with its approvals and its
 * triggers, of which a later report is a duplicate; or of a comment, whose command is carried out once.
 */
export function isOfOpenPullRequest(tx: Database) {
  return tx.sql`
    EXISTS (
      SELECT FROM sluice.pull_requests
      WHERE pull_requests.repository_id = events.repository_id AND number = events.pull_request_number AND state = 'OPEN'
        AND (head_arrival <= events.sequence OR events.action = 'commented')
      OFFSET 0
    )`;
}

/**
 * Deletes the pull requests that are over and whose last events go, and what is known of commits whose last events go.
 * To be put behind `old_events` and `old_triggers`, which are no longer counted; makes `pull_requests`, `links` and `commits`.
 * A link stays while there is an event of either of its ends. Each row is found by its key, from the events that go.
 */
export function deleteOldPullRequests(tx: Database, olderThanDays: number) {
  const isGoing = tx.sql`events.id IN (SELECT id FROM old_events)`;
  return tx.sql`
    silent AS MATERIALIZED (
      SELECT repository_id, number
      FROM (
        SELECT DISTINCT repository_id, pull_request_number FROM old_events WHERE pull_request_number IS NOT NULL
      ) AS told (repository_id, number)
      WHERE NOT EXISTS (
        SELECT FROM sluice.events
        WHERE events.repository_id = told.repository_id AND pull_request_number = told.number AND NOT ${isGoing}
        OFFSET 0
      )
    ), pull_requests AS (
      DELETE FROM sluice.pull_requests USING silent
      WHERE pull_requests.repository_id = silent.repository_id AND pull_requests.number = silent.number
        AND state <> 'OPEN' AND recorded_at < now() - ${olderThanDays} * interval '1 day'
      RETURNING 1
    ), old_commits AS MATERIALIZED (
      SELECT repository_id, commit_sha
      FROM (
        SELECT repository_id, commit_sha FROM old_triggers
        UNION
        SELECT repository_id, new_sha FROM old_events WHERE length(new_sha) = 40
        UNION
        SELECT link.repository_id, link.commit_sha
        FROM silent JOIN sluice.commit_pull_requests AS link
          ON link.repository_id = silent.repository_id AND link.number = silent.number
      ) AS named
      WHERE NOT EXISTS (
        SELECT FROM sluice.events
        WHERE new_sha = named.commit_sha AND events.repository_id = named.repository_id AND NOT ${isGoing}
        OFFSET 0
      )
    ), links AS (
      DELETE FROM sluice.commit_pull_requests AS link USING old_commits
      WHERE link.repository_id = old_commits.repository_id AND link.commit_sha = old_commits.commit_sha
        AND NOT EXISTS (
          SELECT FROM sluice.events
          WHERE events.repository_id = link.repository_id AND pull_request_number = link.number AND NOT ${isGoing}
          OFFSET 0
        )
      RETURNING 1
    ), commits AS (
      DELETE FROM sluice.commit_links USING old_commits
      WHERE commit_links.repository_id = old_commits.repository_id AND commit_links.commit_sha = old_commits.commit_sha
      RETURNING 1
    )`;
}
