import type { Actor, CommitFacts, PullRequestAction } from "@sluice/domain/event";
import { SLOT_STATES } from "@sluice/domain/trigger";
import type { TriggerRecord } from "@sluice/domain/trigger-document";

import type { Database } from "./client.ts";
import { toRfc3339 } from "./rfc3339.ts";

type Decision = NonNullable<TriggerRecord["decision"]>;

/** A row of the statement below: one column for each leaf of the record that is not one already. */
interface Row extends Pick<
  TriggerRecord,
  | "id"
  | "runType"
  | "state"
  | "createdAt"
  | "attempt"
  | "cancelRequested"
  | "message"
  | "commitSha"
  | "refName"
  | "baseSha"
  | "moduleVersion"
  | "changes"
  | "previouslyTrackedSha"
  | "target"
  | "repository"
  | "sourceRepository"
  | "pullRequests"
  | "integration"
  | "run"
> {
  readonly leaseToken: string | null;
  readonly leaseHolder: string | null;
  readonly leaseExpiresAt: string | null;
  readonly eventKind: string;
  readonly refKind: TriggerRecord["event"]["refKind"];
  readonly change: string | null;
  readonly forced: boolean;
  readonly action: PullRequestAction | null;
  readonly pullRequestNumber: number | null;
  readonly facts: { readonly commit?: CommitFacts; readonly actor?: Actor };
  readonly deliveryId: string;
  readonly requestId: string;
  readonly receivedAt: string;
  readonly source: TriggerRecord["delivery"]["source"];
  readonly decisionId: string | null;
  readonly reason: Decision["reason"] | null;
  readonly evidence: Decision["evidence"] | null;
  readonly decisionRunType: Decision["runType"];
}

/** What the documents of triggers are made from, in the order of `ids`; one that does not exist is left out. */
export async function listTriggerRecords(db: Database, ids: readonly string[]): Promise<TriggerRecord[]> {
  if (ids.length === 0) return [];
  const rows = await db.sql<Row[]>`
    SELECT triggers.id, triggers.run_type, triggers.state, triggers.created_at, triggers.attempt,
           triggers.cancel_requested, triggers.message, triggers.commit_sha, triggers.ref_name, triggers.base_sha,
           triggers.module_version, triggers.changes, previous.commit_sha AS previously_tracked_sha,
           triggers.lease_token, triggers.lease_holder, triggers.lease_expires_at,
           json_build_object('id', triggers.run_id, 'url', triggers.run_url) AS run,
           events.kind AS event_kind, events.ref_kind, events.change, events.forced, events.action,
           events.pull_request_number, events.facts,
           deliveries.id AS delivery_id, deliveries.request_id, deliveries.received_at, deliveries.source,
           json_build_object('id', integrations.id, 'name', integrations.name) AS integration,
           json_build_object('uuid', repositories.uuid, 'fullName', repositories.full_name) AS repository,
           json_build_object('uuid', source.uuid, 'fullName', source.full_name) AS source_repository,
           pull_requests.list AS pull_requests,
           json_build_object(
             'id', targets.id, 'externalId', targets.external_id, 'kind', targets.kind, 'name', targets.name,
             'space', spaces.name, 'labels', targets.labels, 'projectRoot', targets.project_root,
             'metadata', targets.metadata
           ) AS target,
           decisions.id AS decision_id, decisions.reason, decisions.evidence, decisions.run_type AS decision_run_type
    FROM unnest(${ids}::uuid[]) WITH ORDINALITY AS wanted (id, place)
    JOIN sluice.triggers ON triggers.id = wanted.id
    JOIN sluice.targets ON targets.id = triggers.target_id
    JOIN sluice.spaces ON spaces.id = targets.space_id
    JOIN sluice.repositories ON repositories.id = triggers.repository_id
    JOIN sluice.repositories AS source ON source.id = triggers.source_repository_id
    JOIN sluice.events ON events.id = triggers.event_id
    JOIN sluice.deliveries ON deliveries.id = events.delivery_id
    JOIN sluice.integrations ON integrations.id = deliveries.integration_id
    LEFT JOIN sluice.decisions ON decisions.trigger_id = triggers.id AND decisions.outcome = 'trigger'
    LEFT JOIN LATERAL (
      SELECT commit_sha FROM sluice.triggers AS earlier
      WHERE earlier.target_id = triggers.target_id AND earlier.run_type = 'tracked'
        AND earlier.position < triggers.position
      ORDER BY earlier.position DESC LIMIT 1
    ) AS previous ON true
    CROSS JOIN LATERAL (
      SELECT coalesce(json_agg(json_build_object(
        'number', pull_requests.number, 'title', title, 'state', pull_requests.state, 'author', author, 'url', url,
        'sourceBranch', source_branch, 'destinationBranch', destination_branch
      ) ORDER BY pull_requests.number), '[]') AS list
      FROM sluice.commit_pull_requests JOIN sluice.pull_requests USING (repository_id, number)
      WHERE commit_pull_requests.repository_id = triggers.repository_id
        AND commit_pull_requests.commit_sha = triggers.commit_sha
    ) AS pull_requests
    ORDER BY wanted.place`;
  return rows.map(toRecord);
}

function toRecord(row: Row): TriggerRecord {
  return {
    id: row.id,
    runType: row.runType,
    state: row.state,
    createdAt: toRfc3339(row.createdAt),
    attempt: row.attempt,
    cancelRequested: row.cancelRequested,
    lease: toLease(row),
    run: row.run,
    message: row.message,
    commitSha: row.commitSha,
    refName: row.refName,
    baseSha: row.baseSha,
    moduleVersion: row.moduleVersion,
    changes: row.changes,
    previouslyTrackedSha: row.previouslyTrackedSha,
    event: {
      kind: row.eventKind,
      refKind: row.refKind,
      change: row.change,
      forced: row.forced,
      commit: row.facts.commit ?? null,
      actor: row.facts.actor ?? null,
      pullRequest: toPullRequest(row),
    },
    delivery: {
      id: row.deliveryId,
      requestId: row.requestId,
      receivedAt: toRfc3339(row.receivedAt),
      source: row.source,
    },
    integration: row.integration,
    repository: row.repository,
    sourceRepository: row.sourceRepository,
    pullRequests: row.pullRequests,
    target: row.target,
    decision: toDecision(row),
  };
}

/** A finished trigger keeps its last token, so that the last report can be repeated; nobody holds it all the same. */
function toLease({ state, leaseToken, leaseHolder, leaseExpiresAt }: Row): TriggerRecord["lease"] {
  if (!SLOT_STATES.some((held) => held === state) || leaseToken === null) return null;
  return {
    token: leaseToken,
    holder: leaseHolder ?? "",
    expiresAt: leaseExpiresAt === null ? null : toRfc3339(leaseExpiresAt),
  };
}

function toPullRequest({ pullRequestNumber: number, action }: Row): TriggerRecord["event"]["pullRequest"] {
  return number === null || action === null ? null : { number, action };
}

function toDecision({ decisionId, reason, evidence, decisionRunType }: Row): TriggerRecord["decision"] {
  if (decisionId === null || reason === null) return null;
  return { id: decisionId, reason, evidence: evidence ?? {}, runType: decisionRunType };
}
