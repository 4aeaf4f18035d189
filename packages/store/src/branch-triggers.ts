/** The triggers of a branch, with all that may end them (rules 22, 23, 27). */
import type { BranchTriggers, PullRequestClosing } from "@sluice/domain/outdated";

import { LATEST_PUSHES } from "./branch-pushes.ts";
import type { Database } from "./client.ts";
import { isOutdated, standing } from "./trigger-ends.ts";

/** As many of a branch's pushes as are looked at for its deletion, and for the head of a closed pull request. */
const MAX_PUSHES = 500;
/** As many of a branch's pull requests as are looked at, and of the latest events of each. */
const MAX_PULL_REQUESTS = 20;
const MAX_REPORTS = 50;
/** What ended longer ago does not come back: what came after it may be gone from the store. */
const MAX_REVIVAL_DAYS = 1;

/** A branch, and whose targets it concerns: those of its own repository, or those of another, of which that is a fork. */
export interface TargetedBranch {
  /** The targets'. */
  readonly repositoryId: string;
  /** The repository that `name` is a branch of. */
  readonly sourceRepositoryId: string;
  readonly name: string;
}

/** A branch's place in the map of `listBranchTriggers`. */
export function targetedBranchKey({ repositoryId, sourceRepositoryId, name }: TargetedBranch): string {
  return `${repositoryId} ${sourceRepositoryId} ${name}`;
}

/** A branch with its triggers. */
export interface BranchWithTriggers extends Omit<BranchTriggers, "closing"> {
  /** Ids of the targets whose tracked triggers a newer one supersedes (rule 27). */
  readonly coalescing: readonly string[];
  /** Of pull requests that were closed without a merge; empty while one of the branch is open. */
  readonly closings: readonly PullRequestClosing[];
}

/**
 * For each branch, by `targetedBranchKey`, its triggers that may be ended by what comes after them: the proposed ones, and
 * the tracked ones of targets that `coalesce`. All that are open, and the latest of each target, with its push and
 * without, among those of the latest pushes and of the reports of its pull requests; and those that stood for the latest
 * reported head, when the branch came to it more than once. `deciding`: ids of events that the caller's transaction will
 * mark as decided; another undecided deletion is not looked at. `arriving`: the hashes to which pushes come that it will
 * record. A branch without a pull request is absent when only targets track it
 * which do not `coalesce`. The caller holds the locks of the repositories.
 *
 * A fork's branch is told by its pull requests alone: the fork's own pushes concern the fork's own targets (rule 11). What
 * has ended is most of what a branch has, and is walked past: by `triggers_branch_open_idx`, in which it is not.
 */
export async function listBranchTriggers(
  db: Database,
  branches: readonly TargetedBranch[],
  deciding: readonly string[],
  arriving: readonly string[] = [],
): Promise<ReadonlyMap<string, BranchWithTriggers>> {
  if (branches.length === 0) return new Map();
  const rows = await db.sql<BranchRow[]>`
    WITH branch AS MATERIALIZED (
      SELECT wanted.*, coalesce((
        SELECT chain <> 'unsure' FROM sluice.branches
        WHERE branches.repository_id = wanted.source_repository_id AND branches.name = wanted.name
          AND wanted.repository_id = wanted.source_repository_id
        LIMIT 1
      ), true) AS is_certain
      FROM unnest(
        ${branches.map((branch) => branch.repositoryId)}::uuid[],
        ${branches.map((branch) => branch.sourceRepositoryId)}::uuid[],
        ${branches.map((branch) => branch.name)}::text[]
      ) WITH ORDINALITY AS wanted (repository_id, source_repository_id, name, nr)
      WHERE EXISTS (
        SELECT FROM sluice.targets
        WHERE targets.repository_id = wanted.repository_id AND removed_at IS NULL
          AND (tracked_branch <> wanted.name OR targets.coalesce)
        OFFSET 0
      ) OR EXISTS (
        SELECT FROM sluice.pull_requests
        WHERE pull_requests.source_repository_id = wanted.source_repository_id AND source_branch = wanted.name
          AND pull_requests.repository_id = wanted.repository_id AND ${isRecent(db)}
        OFFSET 0
      )
    ), coalescing AS MATERIALIZED (
      SELECT nr, id, branch.source_repository_id, branch.name
      FROM branch JOIN sluice.targets ON targets.repository_id = branch.repository_id
      WHERE removed_at IS NULL AND targets.coalesce
    ), push AS MATERIALIZED (
      SELECT nr, push.*
      FROM branch CROSS JOIN LATERAL (
        SELECT id, sequence, old_sha, new_sha, told_again, row_number() OVER (ORDER BY sequence DESC) AS place,
               change = 'deleted' AND NOT told_again
               AND (decided_at IS NOT NULL OR id = ANY(${deciding}::uuid[])) AS is_deletion
        FROM sluice.events
        WHERE events.repository_id = branch.source_repository_id AND ref_kind = 'branch' AND ref_name = branch.name
        ORDER BY sequence DESC LIMIT ${MAX_PUSHES}
      ) AS push
      WHERE branch.repository_id = branch.source_repository_id
    ), pull_request AS MATERIALIZED (
      SELECT nr, pull_request.*
      FROM branch CROSS JOIN LATERAL (
        SELECT repository_id, number, state, source_sha, head_arrival, updated_on, ${isRecent(db)} AS is_recent
        FROM sluice.pull_requests
        WHERE pull_requests.source_repository_id = branch.source_repository_id AND source_branch = branch.name
          AND pull_requests.repository_id = branch.repository_id
        ORDER BY state = 'OPEN' DESC, head_arrival DESC LIMIT ${MAX_PULL_REQUESTS}
      ) AS pull_request
    ), report AS MATERIALIZED (
      SELECT nr, report.*
      FROM pull_request CROSS JOIN LATERAL (
        SELECT id, new_sha AS sha, facts #>> '{pullRequest,state}' AS state,
               facts #>> '{pullRequest,updatedOn}' AS updated_on
        FROM sluice.events
        WHERE events.repository_id = pull_request.repository_id AND pull_request_number = pull_request.number
        ORDER BY sequence DESC LIMIT ${MAX_REPORTS}
      ) AS report
      WHERE is_recent
    ), head AS MATERIALIZED (
      SELECT nr, sha, max(updated_on) AS updated_on
      FROM (
        SELECT nr, sha, state, updated_on::timestamptz FROM report
        UNION ALL
        SELECT nr, source_sha, state, updated_on FROM pull_request WHERE is_recent
      ) AS told
      WHERE state = 'OPEN' AND sha IS NOT NULL
      GROUP BY nr, sha
    ), last_arrival AS MATERIALIZED (
      SELECT nr, sha, max(sequence) AS position, count(*) AS arrivals
      FROM head JOIN push USING (nr)
      WHERE NOT told_again AND (starts_with(new_sha, sha) OR starts_with(sha, new_sha))
      GROUP BY nr, sha
    ), returned AS MATERIALIZED (
      SELECT nr, sha
      FROM (SELECT DISTINCT ON (nr) nr, sha FROM head ORDER BY nr, updated_on DESC) AS latest
      JOIN last_arrival USING (nr, sha)
      WHERE arrivals + (
        SELECT count(*) FROM unnest(${[...arriving]}::text[]) AS arriving (sha)
        WHERE starts_with(arriving.sha, latest.sha) OR starts_with(latest.sha, arriving.sha)
      ) > 1
    ), reliance AS MATERIALIZED (
      SELECT nr, stood_for AS id, max(report.updated_on::timestamptz) AS reported_on
      FROM returned JOIN report USING (nr)
      CROSS JOIN LATERAL (
        SELECT coalesce(trigger_id, (evidence #>> '{duplicateOf,triggerId}')::uuid) AS stood_for
        FROM sluice.decisions WHERE event_id = report.id OFFSET 0
      ) AS decision
      WHERE report.state = 'OPEN' AND stood_for IS NOT NULL
        AND (starts_with(report.sha, returned.sha) OR starts_with(returned.sha, report.sha))
      GROUP BY nr, stood_for
    ), made AS (
      SELECT nr, made.*
      FROM branch CROSS JOIN LATERAL (
        SELECT ${facts(db)}, repository_id AS made_for FROM sluice.triggers
        WHERE triggers.source_repository_id = branch.source_repository_id AND ref_name = branch.name
          AND run_type = 'proposed' AND state IN ('blocked', 'queued', 'claimed', 'running', 'waiting')
        OFFSET 0
      ) AS made
      WHERE made_for = branch.repository_id
      UNION
      SELECT source.nr, made.*
      FROM (
        SELECT nr, id FROM push WHERE place <= ${LATEST_PUSHES} UNION ALL SELECT nr, id FROM report
      ) AS source
      CROSS JOIN LATERAL (
        SELECT ${facts(db)}, repository_id AS made_for FROM sluice.triggers WHERE event_id = source.id OFFSET 0
      ) AS made
      WHERE run_type = 'proposed' OR target_id IN (SELECT id FROM coalescing)
      UNION
      SELECT nr, made.*
      FROM coalescing CROSS JOIN LATERAL (
        SELECT ${facts(db)}, repository_id AS made_for FROM sluice.triggers
        WHERE target_id = coalescing.id AND run_type = 'tracked' AND state IN ('blocked', 'queued')
          AND ref_name = coalescing.name AND triggers.source_repository_id = coalescing.source_repository_id
        OFFSET 0
      ) AS made
      UNION
      SELECT nr, made.*
      FROM branch JOIN reliance USING (nr) CROSS JOIN LATERAL (
        SELECT ${facts(db)}, repository_id AS made_for FROM sluice.triggers
        WHERE triggers.id = reliance.id AND triggers.source_repository_id = branch.source_repository_id
          AND ref_name = branch.name AND run_type = 'proposed'
        OFFSET 0
      ) AS made
      WHERE made_for = branch.repository_id
    ), ended AS (
      SELECT DISTINCT ON (nr) nr, json_build_object('position', sequence, 'eventId', id) AS deletion
      FROM push WHERE is_deletion ORDER BY nr, sequence DESC
    ), closing AS (
      SELECT pull_request.nr, number, source_sha, coalesce(max(push.sequence), head_arrival) AS position,
             max(push.sequence) IS NULL AS awaits_push
      FROM pull_request LEFT JOIN push
        ON push.nr = pull_request.nr AND NOT told_again
        AND (starts_with(new_sha, source_sha) OR starts_with(source_sha, new_sha))
      WHERE state NOT IN ('OPEN', 'MERGED')
        AND pull_request.nr NOT IN (SELECT nr FROM pull_request WHERE state = 'OPEN')
      GROUP BY pull_request.nr, number, source_sha, head_arrival
    ), closed AS (
      SELECT nr, json_agg(json_build_object(
               'number', number, 'headSha', source_sha, 'position', position, 'awaitsPush', awaits_push
             )) AS closings
      FROM closing GROUP BY nr
    ), leaving AS (
      SELECT nr, json_agg(json_build_object('sha', old_sha, 'position', position)) AS leavings
      FROM (
        SELECT nr, old_sha, max(sequence) AS position
        FROM push
        WHERE NOT told_again AND EXISTS (
          SELECT FROM head WHERE head.nr = push.nr AND (starts_with(old_sha, sha) OR starts_with(sha, old_sha))
        )
        GROUP BY nr, old_sha
      ) AS last_leaving
      GROUP BY nr
    ), listed AS (
      SELECT nr, json_agg(json_build_object(
               'id', id, 'targetId', target_id, 'runType', run_type, 'commitSha', commit_sha, 'position', position,
               'eventId', event_id, 'awaitsPush', awaits_push, 'reportedOn', reported_on, 'standing', standing
             )) AS triggers
      FROM (
        SELECT *, row_number() OVER (PARTITION BY nr, target_id, run_type, awaits_push ORDER BY position DESC) AS place
        FROM made LEFT JOIN reliance USING (nr, id)
      ) AS ranked
      WHERE place = 1 OR standing IN ('unclaimed', 'held') OR reported_on IS NOT NULL
      GROUP BY nr
    )
    SELECT repository_id, source_repository_id, name, is_certain,
           (SELECT coalesce(json_agg(id), '[]') FROM coalescing WHERE coalescing.nr = branch.nr) AS coalescing,
           (SELECT coalesce(json_agg(json_build_object('sha', sha, 'updatedOn', updated_on)), '[]')
            FROM head WHERE head.nr = branch.nr) AS reports,
           (SELECT coalesce(json_agg(json_build_object('sha', sha, 'position', position)), '[]')
            FROM last_arrival WHERE last_arrival.nr = branch.nr) AS arrivals,
           ended.deletion, coalesce(closed.closings, '[]') AS closings, coalesce(leaving.leavings, '[]') AS leavings,
           coalesce(listed.triggers, '[]') AS triggers
    FROM branch LEFT JOIN ended USING (nr) LEFT JOIN closed USING (nr) LEFT JOIN leaving USING (nr)
    LEFT JOIN listed USING (nr)`;
  return new Map(
    rows.map(({ repositoryId, sourceRepositoryId, name, ...rest }) => [
      targetedBranchKey({ repositoryId, sourceRepositoryId, name }),
      rest,
    ]),
  );
}

type BranchRow = TargetedBranch & BranchWithTriggers;

/** Of a pull request, by whose triggers something may still have to be done. */
function isRecent(db: Database) {
  return db.sql`
    (pull_requests.state = 'OPEN' OR pull_requests.recorded_at > now() - ${MAX_REVIVAL_DAYS} * interval '1 day')`;
}

/** What `judgeTriggers` is to be told. */
function facts(db: Database) {
  return db.sql`
    id, target_id, run_type, commit_sha, position, event_id, awaits_push,
    CASE WHEN ${isOutdated(db)} AND triggers.created_at <= now() - ${MAX_REVIVAL_DAYS} * interval '1 day' THEN 'settled'
    ELSE ${standing(db)} END AS standing`;
}
