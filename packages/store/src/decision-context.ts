/** What a policy is told beside the event, the target and the changed files. */
import type { DecisionContext, TargetContext } from "@sluice/domain/decision-input";
import type { Event } from "@sluice/domain/event";

import type { Database } from "./client.ts";
import { findPullRequests, pullRequestKey } from "./pull-requests.ts";
import { toRfc3339 } from "./rfc3339.ts";
import { allAnswered } from "./transaction.ts";

/** All of a `DecisionContext` that the store knows. */
export type StoredContext = Omit<DecisionContext, "files">;

/**
 * What is known by now of targets, by target id, and of the pull request of an event of their repository; a target that
 * there is not is absent. Two statements, whatever the number of targets. By primary keys, and for each target by
 * `triggers_target_idx`, `triggers_tracked_open_idx` and `triggers_module_version_key`.
 */
export async function findDecisionContexts(
  db: Database,
  { event, repositoryId }: { readonly event: Event; readonly repositoryId: string },
  targetIds: readonly string[],
): Promise<ReadonlyMap<string, StoredContext>> {
  const name = event.kind === "pull_request" ? { repositoryId, number: event.pullRequest.number } : null;
  const [pullRequests, rows] = await allAnswered([
    findPullRequests(db, name === null ? [] : [name]),
    listTargets(db, targetIds),
  ]);
  const pullRequest = (name === null ? undefined : pullRequests.get(pullRequestKey(name))) ?? null;
  return new Map(rows.map((row) => [row.id, { ...toTargetContext(row), pullRequest }]));
}

type TargetRow = { readonly id: string } & TargetContext["target"] & Omit<TargetContext, "target">;

/** OFFSET keeps the lookup apart for each module: it has few of the triggers of which there may be millions. */
async function listTargets(db: Database, targetIds: readonly string[]): Promise<readonly TargetRow[]> {
  if (targetIds.length === 0) return [];
  return db.sql<TargetRow[]>`
    SELECT targets.id, targets.external_id, targets.labels,
           json_build_object('id', spaces.id, 'name', spaces.name) AS space,
           (SELECT commit_sha FROM sluice.triggers
            WHERE target_id = targets.id AND run_type = 'tracked' ORDER BY position DESC LIMIT 1) AS tracked_sha,
           (SELECT module_version FROM (
              SELECT module_version, position FROM sluice.triggers
              WHERE target_id = targets.id AND module_version IS NOT NULL OFFSET 0
            ) AS given ORDER BY position DESC LIMIT 1) AS current_version,
           CASE WHEN integrations.id IS NOT NULL THEN json_build_object(
             'id', integrations.id, 'name', integrations.name, 'description', integrations.description,
             'labels', integrations.labels, 'space', CASE WHEN owner.id IS NOT NULL THEN
               json_build_object('id', owner.id, 'name', owner.name) END
           ) END AS integration,
           coalesce(open.triggers, '[]') AS in_progress
    FROM unnest(${targetIds}::uuid[]) AS wanted (id)
    JOIN sluice.targets ON targets.id = wanted.id
    JOIN sluice.spaces ON spaces.id = targets.space_id
    LEFT JOIN sluice.integrations ON integrations.id = targets.integration_id
    LEFT JOIN sluice.spaces AS owner ON owner.id = integrations.space_id
    LEFT JOIN LATERAL (
      SELECT json_agg(json_build_object(
               'id', id, 'runType', run_type, 'state', state, 'refName', ref_name, 'commitSha', commit_sha,
               'createdAt', created_at
             ) ORDER BY created_at, id) AS triggers
      FROM (
        SELECT id, run_type, state, ref_name, commit_sha, created_at FROM sluice.triggers
        WHERE target_id = targets.id AND run_type = 'tracked' AND ${isOpen(db)}
        UNION ALL
        SELECT id, run_type, state, ref_name, commit_sha, created_at FROM sluice.triggers
        WHERE target_id = targets.id AND run_type = 'proposed' AND ${isOpen(db)}
      ) AS trigger
    ) AS open ON true`;
}

/** As the index of a target's open tracked triggers has it. */
function isOpen(db: Database) {
  return db.sql`state IN ('blocked', 'queued', 'claimed', 'running', 'waiting', 'lost')`;
}

function toTargetContext({ integration, inProgress, ...row }: TargetRow): TargetContext {
  const { externalId, labels, space, trackedSha, currentVersion } = row;
  return {
    target: { externalId, labels, space, trackedSha, currentVersion },
    integration,
    inProgress: inProgress.map((trigger) => ({ ...trigger, createdAt: toRfc3339(trigger.createdAt) })),
  };
}
