/** What became of events, one by one: what a person reads who asks why nothing ran. */
import type { Reach } from "@sluice/domain/access";
import { isApproved } from "@sluice/domain/approval";
import type { Evidence } from "@sluice/domain/decide";
import type { Actor, CommentFacts, CommitFacts, PullRequestFacts } from "@sluice/domain/event";
import { forkOf } from "@sluice/domain/fork";
import type { PullRequestState } from "@sluice/domain/pull-request";

import type { Database } from "./client.ts";
import type { DecisionReport } from "./decision-reports.ts";
import type { DeliveryReport, EventReport } from "./delivery-reports.ts";
import type { ReferredEvent } from "./event-references.ts";
import { isReached } from "./reach.ts";
import { toRfc3339 } from "./rfc3339.ts";
import { listTriggerStandings, type TriggerStanding } from "./trigger-standings.ts";

/** A delivery, the event of it that was asked for, and what that meant. Times are RFC 3339. */
export interface EventExplanation {
  readonly delivery: Omit<DeliveryReport, "events" | "bodyBytes" | "secretVersion">;
  /** Null: the delivery gave none. */
  readonly event: ExplainedEvent | null;
  /** Those that were asked for: what runs first, and last what lies outside of what was changed. */
  readonly decisions: readonly ExplainedDecision[];
  readonly hasMoreDecisions: boolean;
}

export interface ExplainedEvent extends Omit<EventReport, "decisions"> {
  /** Null where `repository` is. */
  readonly repositoryId: string | null;
  readonly forced: boolean;
  /** The same hook had told the same push before. */
  readonly isToldAgain: boolean;
  /** Null when Bitbucket did not say. */
  readonly actor: Actor | null;
  readonly commit: CommitFacts | null;
  /** Null for an event that is not about a pull request. */
  readonly pullRequest: ExplainedPullRequest | null;
  /** The comment that the event told of; null when it told of none. */
  readonly comment: CommentFacts | null;
}

/** A pull request as the event told of it. */
export interface ExplainedPullRequest extends Pick<
  PullRequestFacts,
  "title" | "url" | "state" | "source" | "destination" | "mergeSha"
> {
  /** Where it comes from, when that is not the repository itself; `fullName` null: the fork is gone. */
  readonly fork: NonNullable<Evidence["fork"]> | null;
  /** What is stored by now, by this event and all others; null when that is not kept any more. */
  readonly present: {
    readonly state: string;
    /** 7 to 40 hex digits; null when the branch or the fork is gone. */
    readonly headSha: string | null;
    readonly mergeSha: string | null;
    /** By somebody other than its author (rule 13). */
    readonly isApproved: boolean;
  } | null;
  /** Commits that are known to be part of it, 40 hex digits each, the latest to be linked first. */
  readonly linkedCommits: readonly string[];
  /** Whether some were left out. */
  readonly hasMoreLinkedCommits: boolean;
}

export interface ExplainedDecision extends Omit<DecisionReport, "eventId" | "deliveryId" | "triggerId"> {
  /** The trigger that it made; null when it made none. */
  readonly trigger: TriggerStanding | null;
  /** The trigger because of which it made none (a duplicate, a stale push); null when there is none such. */
  readonly insteadOf: TriggerStanding | null;
}

/** Which decisions are of interest; those that concern no target, but the event as a whole, always are. */
export type DecisionChoice =
  /** Of an event that was named by a trigger: the one that made it. */
  | { readonly kind: "all" }
  | { readonly kind: "targets"; readonly ids: readonly string[] }
  /** Those of targets in the spaces of a key. */
  | { readonly kind: "reached"; readonly reach: Reach };

/** As many decisions of an event as are shown. */
const MAX_DECISIONS = 100;

/** As many commits of a pull request as are shown. */
const MAX_LINKED_COMMITS = 20;

/**
 * Explains events, in the order given; at most `MAX_DECISIONS` decisions of each. By primary keys, and by
 * `decisions_identity_key` for each event.
 */
export async function explainEvents(
  db: Database,
  referred: readonly ReferredEvent[],
  choice: DecisionChoice,
): Promise<EventExplanation[]> {
  const [events, decisions] = await Promise.all([
    listEvents(db, referred),
    listDecisions(db, referred, choice),
  ]);
  const standings = await listTriggerStandings(db, [...new Set(decisions.flatMap(triggersOf))]);
  return events.map(({ delivery, event }) => {
    const own = event === null ? [] : decisions.filter(({ eventId }) => eventId === event.id);
    return {
      delivery,
      event,
      decisions: own.slice(0, MAX_DECISIONS).map((row) => toDecision(row, standings)),
      hasMoreDecisions: own.length > MAX_DECISIONS,
    };
  });
}

interface EventRow {
  readonly delivery: EventExplanation["delivery"];
  readonly event:
    | (Omit<ExplainedEvent, "actor" | "commit" | "comment" | "pullRequest"> & {
        readonly facts: {
          readonly actor?: Actor;
          readonly commit?: CommitFacts;
          readonly comment?: CommentFacts;
          readonly pullRequest?: PullRequestFacts;
        };
        readonly repositoryUuid: string | null;
        readonly stored:
          | (Pick<PullRequestState, "author" | "reviews" | "state" | "mergeSha"> & {
              readonly headSha: string | null;
            })
          | null;
        /** One more than are shown says that there are others; null: there is none. */
        readonly linked: readonly string[] | null;
      })
    | null;
}

async function listEvents(
  db: Database,
  referred: readonly ReferredEvent[],
): Promise<Pick<EventExplanation, "delivery" | "event">[]> {
  const rows = await db.sql<EventRow[]>`
    SELECT json_build_object(
             'id', deliveries.id, 'requestId', request_id, 'source', source, 'eventKey', deliveries.event_key, 'attempt', attempt,
             'receivedAt', deliveries.received_at, 'recordedAt', deliveries.recorded_at, 'outcome', outcome,
             'failure', failure, 'integration', json_build_object('id', integrations.id, 'name', integrations.name)
           ) AS delivery,
           CASE WHEN events.id IS NOT NULL THEN json_build_object(
             'id', events.id, 'index', index, 'kind', kind, 'repository', full_name,
             'repositoryId', events.repository_id, 'refKind', ref_kind, 'refName', ref_name, 'change', change,
             'oldSha', old_sha, 'newSha', new_sha, 'forced', forced, 'isToldAgain', told_again, 'facts', facts,
             'action', action, 'pullRequestNumber', pull_request_number, 'repositoryUuid', repositories.uuid,
             'stored', CASE WHEN pull_requests.number IS NOT NULL THEN json_build_object(
               'state', pull_requests.state, 'headSha', source_sha, 'mergeSha', merge_sha, 'author', author,
               'reviews', reviews
             ) END,
             'linked', links.commits, 'decidedAt', decided_at
           ) END AS event
    FROM unnest(
      ${referred.map(({ deliveryId }) => deliveryId)}::uuid[], ${referred.map(({ eventId }) => eventId)}::uuid[]
    ) WITH ORDINALITY AS wanted (delivery_id, event_id, place)
    JOIN sluice.deliveries ON deliveries.id = wanted.delivery_id
    JOIN sluice.integrations ON integrations.id = deliveries.integration_id
    LEFT JOIN sluice.events ON events.id = wanted.event_id
    LEFT JOIN sluice.repositories ON repositories.id = events.repository_id
    LEFT JOIN sluice.pull_requests
      ON pull_requests.repository_id = events.repository_id AND pull_requests.number = events.pull_request_number
    LEFT JOIN LATERAL (
      SELECT json_agg(commit_sha ORDER BY recorded_at DESC, commit_sha) AS commits
      FROM (
        SELECT commit_sha, recorded_at FROM sluice.commit_pull_requests AS linked
        WHERE linked.repository_id = events.repository_id AND linked.number = events.pull_request_number
        ORDER BY recorded_at DESC, commit_sha LIMIT ${MAX_LINKED_COMMITS + 1}
      ) AS latest
    ) AS links ON events.pull_request_number IS NOT NULL
    ORDER BY wanted.place`;
  return rows.map(({ delivery, event }) => ({
    delivery: {
      ...delivery,
      receivedAt: toRfc3339(delivery.receivedAt),
      recordedAt: toRfc3339(delivery.recordedAt),
    },
    event: event === null ? null : toEvent(event),
  }));
}

function toEvent(row: NonNullable<EventRow["event"]>): ExplainedEvent {
  const { facts, decidedAt, repositoryUuid: _uuid, stored: _stored, linked: _linked, ...event } = row;
  return {
    ...event,
    decidedAt: decidedAt === null ? null : toRfc3339(decidedAt),
    actor: facts.actor ?? null,
    commit: facts.commit ?? null,
    pullRequest: toPullRequest(row),
    comment: facts.comment ?? null,
  };
}

function toPullRequest(row: NonNullable<EventRow["event"]>): ExplainedPullRequest | null {
  const { facts, repository, repositoryUuid, stored, linked } = row;
  const { pullRequest } = facts;
  if (pullRequest === undefined || repositoryUuid === null) return null;
  const { title, url, state, source, destination, mergeSha } = pullRequest;
  const commits = linked ?? [];
  return {
    title,
    url,
    state,
    source,
    destination,
    mergeSha,
    fork: forkOf({ repository: { uuid: repositoryUuid, fullName: repository ?? "" }, pullRequest }),
    present:
      stored === null
        ? null
        : {
            state: stored.state,
            headSha: stored.headSha,
            mergeSha: stored.mergeSha,
            isApproved: isApproved(stored),
          },
    linkedCommits: commits.slice(0, MAX_LINKED_COMMITS),
    hasMoreLinkedCommits: commits.length > MAX_LINKED_COMMITS,
  };
}

type DecisionRow = Omit<DecisionReport, "deliveryId">;

/** One more of each event than is shown, which says that there are others. */
async function listDecisions(
  db: Database,
  referred: readonly ReferredEvent[],
  choice: DecisionChoice,
): Promise<readonly DecisionRow[]> {
  return db.sql<DecisionRow[]>`
    SELECT decision.*
    FROM unnest(
      ${referred.map(({ eventId }) => eventId)}::uuid[], ${referred.map(({ triggerId }) => triggerId)}::uuid[]
    ) WITH ORDINALITY AS wanted (event_id, trigger_id, place)
    CROSS JOIN LATERAL (
      SELECT decisions.id, decisions.event_id, decisions.outcome, decisions.run_type, decisions.reason,
             decisions.evidence, decisions.trigger_id, decisions.decided_at,
             CASE WHEN targets.id IS NOT NULL THEN json_build_object(
               'id', targets.id, 'kind', targets.kind, 'name', targets.name, 'space', spaces.name
             ) END AS target,
             array_position(ARRAY['trigger', 'hold', 'ignore'], decisions.outcome)
               + (decisions.reason = 'outside_project_root')::int AS rank,
             spaces.name AS space_name, targets.kind AS target_kind, targets.name AS target_name
      FROM sluice.decisions
      LEFT JOIN sluice.targets ON targets.id = decisions.target_id
      LEFT JOIN sluice.spaces ON spaces.id = targets.space_id
      WHERE decisions.event_id = wanted.event_id AND ${isChosen(db, choice)}
      ORDER BY rank, space_name, target_kind, target_name LIMIT ${MAX_DECISIONS + 1}
    ) AS decision
    ORDER BY wanted.place, rank, space_name, target_kind, target_name`;
}

/** Of a row of `decisions` with its `targets`. */
function isChosen(db: Database, choice: DecisionChoice) {
  const { sql } = db;
  switch (choice.kind) {
    case "all":
      return sql`(wanted.trigger_id IS NULL OR decisions.trigger_id = wanted.trigger_id)`;
    case "targets":
      return sql`(decisions.target_id IS NULL OR decisions.target_id = ANY(${choice.ids}::uuid[]))`;
    case "reached":
      return sql`(decisions.target_id IS NULL OR ${isReached(db, choice.reach, sql`targets.space_id`)})`;
  }
}

function triggersOf({ triggerId, evidence }: DecisionRow): string[] {
  return [triggerId, insteadOfId(evidence)].filter((id) => id !== null);
}

function insteadOfId({ duplicateOf, overtakenBy }: DecisionRow["evidence"]): string | null {
  return duplicateOf?.triggerId ?? overtakenBy?.triggerId ?? null;
}

function toDecision(row: DecisionRow, standings: ReadonlyMap<string, TriggerStanding>): ExplainedDecision {
  const otherId = insteadOfId(row.evidence);
  return {
    id: row.id,
    target: row.target,
    outcome: row.outcome,
    runType: row.runType,
    reason: row.reason,
    evidence: row.evidence,
    decidedAt: toRfc3339(row.decidedAt),
    trigger: row.triggerId === null ? null : (standings.get(row.triggerId) ?? null),
    insteadOf: otherId === null ? null : (standings.get(otherId) ?? null),
  };
}
