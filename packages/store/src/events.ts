import { assertNever } from "@sluice/domain/assert-never";
import { commandLine } from "@sluice/domain/comment-command";
import type {
  Actor,
  CommentFacts,
  CommitFacts,
  Event,
  PullRequestAction,
  PullRequestEvent,
  PullRequestFacts,
  PushEvent,
} from "@sluice/domain/event";

import type { Database } from "./client.ts";
import type { DeliveryRow } from "./deliveries.ts";

/** A normalised event on its way into the store. */
export interface NewEvent {
  /** Drawn with the sequence. */
  readonly id: string;
  readonly deliveryId: string;
  readonly requestId: string;
  readonly integrationId: string;
  readonly index: number;
  readonly sequence: number;
  readonly eventKey: string;
  readonly event: Event;
  readonly repositoryId: string | null;
  /** Of a pull request's source; null for other events, and when it is gone. */
  readonly sourceRepositoryId: string | null;
  readonly branchArrival: number | null;
  /** False for a push whose place among those of its branch Bitbucket has to be asked about (rule 14). */
  readonly isPlaced: boolean;
  /** The same hook told the same push before. */
  readonly isToldAgain: boolean;
  /** RFC 3339. */
  readonly receivedAt: string;
  /** The hook that told it, and at which attempt. */
  readonly hookId: string | null;
  readonly attempt: number;
  readonly source: DeliveryRow["source"];
}

/** An event that waits for its decisions. */
export interface PendingEvent {
  readonly id: string;
  readonly deliveryId: string;
  /** Bitbucket's X-Request-UUID, for the log. */
  readonly requestId: string;
  readonly integrationId: string;
  readonly sequence: number;
  readonly receivedAt: string;
  readonly repositoryId: string | null;
  /** Of a pull request's source; null for other events, and when it is gone. */
  readonly sourceRepositoryId: string | null;
  readonly branchArrival: number | null;
  /** False for a push whose place among those of its branch Bitbucket has to be asked about (rule 14). */
  readonly isPlaced: boolean;
  readonly source: DeliveryRow["source"];
  readonly event: Event;
}

/**
 * Draws ids and numbers for `count` events, both ascending. Drawn under the repository's lock, so that they follow the
 * order of recording.
 */
export async function drawEvents(db: Database, count: number): Promise<Pick<NewEvent, "id" | "sequence">[]> {
  const rows = await db.sql<{ id: string; sequence: number }[]>`
    SELECT uuidv7() AS id, nextval('sluice.event_sequence') AS sequence
    FROM generate_series(1, ${count})`;
  return rows.toSorted((a, b) => a.sequence - b.sequence);
}

/**
 * Inserts the events of deliveries that were recorded just now. `decided`: the ids of those whose decisions are written
 * in the same transaction.
 */
export async function insertEvents(
  db: Database,
  events: readonly NewEvent[],
  decided: ReadonlySet<string>,
): Promise<void> {
  if (events.length === 0) return;
  const rows = events.map(toRow);
  await db.sql`
    INSERT INTO sluice.events
      (id, delivery_id, index, sequence, kind, event_key, repository_id, ref_kind, ref_name, change, old_sha, new_sha, forced,
       branch_arrival, action, pull_request_number, source_repository_id, facts, received_at, told_again, decided_at)
    SELECT id, delivery_id, index, sequence, kind, event_key, repository_id, ref_kind, ref_name, change, old_sha, new_sha, forced::boolean,
           branch_arrival, action, pull_request_number, source_repository_id, facts::jsonb, received_at::timestamptz, told_again::boolean,
           CASE WHEN is_decided::boolean THEN now() END
    FROM unnest(
      ${rows.map((row) => row.id)}::uuid[],
      ${rows.map((row) => row.deliveryId)}::uuid[],
      ${rows.map((row) => row.index)}::int[],
      ${rows.map((row) => row.sequence)}::bigint[],
      ${rows.map((row) => row.kind)}::text[],
      ${rows.map((row) => row.eventKey)}::text[],
      ${rows.map((row) => row.repositoryId)}::uuid[],
      ${rows.map((row) => row.refKind)}::text[],
      ${rows.map((row) => row.refName)}::text[],
      ${rows.map((row) => row.change)}::text[],
      ${rows.map((row) => row.oldSha)}::text[],
      ${rows.map((row) => row.newSha)}::text[],
      ${rows.map((row) => String(row.forced))}::text[],
      ${rows.map((row) => row.branchArrival)}::bigint[],
      ${rows.map((row) => row.action)}::text[],
      ${rows.map((row) => row.pullRequestNumber)}::int[],
      ${rows.map((row) => row.sourceRepositoryId)}::uuid[],
      ${rows.map((row) => row.facts)}::text[],
      ${rows.map((row) => row.receivedAt)}::text[],
      ${rows.map((row) => String(row.isToldAgain))}::text[],
      ${rows.map((row) => String(decided.has(row.id)))}::text[]
    ) AS new (id, delivery_id, index, sequence, kind, event_key, repository_id, ref_kind, ref_name, change, old_sha, new_sha,
              forced, branch_arrival, action, pull_request_number, source_repository_id, facts, received_at, told_again, is_decided)`;
}

/** Events of these deliveries that have no decisions yet, oldest first. */
export async function listPendingEventsOfDeliveries(
  db: Database,
  deliveryIds: readonly string[],
): Promise<PendingEvent[]> {
  const rows = await db.sql<StoredEvent[]>`
    ${selectPending(db)} WHERE events.delivery_id = ANY(${deliveryIds}::uuid[]) AND events.decided_at IS NULL
    ORDER BY events.sequence`;
  return rows.map(toPendingEvent);
}

/** @returns null when there is no such event, or it is decided already. */
export async function findPendingEvent(db: Database, id: string): Promise<PendingEvent | null> {
  const [row] = await db.sql<StoredEvent[]>`
    ${selectPending(db)} WHERE events.id = ${id} AND events.decided_at IS NULL`;
  return row === undefined ? null : toPendingEvent(row);
}

/**
 * Undecided events recorded more than `olderThanMs` ago: their job was lost, or waits for long. A page of at most `limit`
 * ids, after `afterId`.
 */
export async function listStalePendingEvents(
  db: Database,
  page: { readonly olderThanMs: number; readonly afterId: string; readonly limit: number },
): Promise<{ readonly id: string }[]> {
  return db.sql<{ id: string }[]>`
    SELECT id FROM sluice.events
    WHERE decided_at IS NULL AND recorded_at < now() - ${page.olderThanMs} * interval '1 millisecond'
      AND id > ${page.afterId}
    ORDER BY id LIMIT ${page.limit}`;
}

/**
 * Of these events, the ones that are still undecided, each with its place now, which may have changed since it was read.
 * The caller holds the locks of their repositories.
 * @returns sequences by id.
 */
export async function filterUndecided(
  db: Database,
  ids: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  const rows = await db.sql<{ id: string; sequence: number }[]>`
    SELECT id, sequence FROM sluice.events
    WHERE id = ANY(${ids}::uuid[]) AND decided_at IS NULL ORDER BY id FOR UPDATE`;
  return new Map(rows.map((row) => [row.id, row.sequence]));
}

/** Puts the 40 digits in the place of a short hash, for the event and for its branch if it still stands there (rule 12). */
export async function expandEventSha(
  db: Database,
  event: { readonly id: string; readonly shortSha: string; readonly sha: string },
): Promise<void> {
  await db.sql`
    WITH expanded AS (
      UPDATE sluice.events SET new_sha = ${event.sha} WHERE id = ${event.id}
      RETURNING repository_id, ref_name
    )
    UPDATE sluice.branches SET head_sha = ${event.sha}
    FROM expanded
    WHERE branches.repository_id = expanded.repository_id AND branches.name = expanded.ref_name
      AND branches.head_sha = ${event.shortSha}`;
}

export async function markEventsDecided(db: Database, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return;
  await db.sql`UPDATE sluice.events SET decided_at = now() WHERE id = ANY(${ids}::uuid[])`;
}

/** Of a push its commit; of a pull request event the pull request, and of the comment what a command needs. */
interface StoredFacts {
  readonly commit?: CommitFacts;
  readonly actor?: Actor;
  readonly pullRequest?: PullRequestFacts;
  readonly comment?: CommentFacts;
}

interface StoredEvent {
  readonly id: string;
  readonly deliveryId: string;
  readonly requestId: string;
  readonly integrationId: string;
  readonly sequence: number;
  readonly receivedAt: string;
  readonly kind: Event["kind"];
  readonly eventKey: string;
  readonly repositoryId: string | null;
  readonly sourceRepositoryId: string | null;
  readonly action: PullRequestAction | null;
  readonly repositoryUuid: string | null;
  readonly repositoryFullName: string | null;
  readonly refKind: PushEvent["refKind"] | null;
  readonly refName: string | null;
  readonly change: PushEvent["change"] | null;
  readonly oldSha: string | null;
  readonly newSha: string | null;
  readonly forced: boolean;
  readonly branchArrival: number | null;
  readonly isPlaced: boolean;
  readonly source: DeliveryRow["source"];
  readonly facts: StoredFacts;
}

function selectPending(db: Database) {
  return db.sql`
    SELECT events.id, events.delivery_id, deliveries.request_id, deliveries.integration_id, events.sequence, events.received_at, events.kind,
           events.event_key, events.repository_id, repositories.uuid AS repository_uuid,
           repositories.full_name AS repository_full_name, events.ref_kind, events.ref_name, events.change,
           events.old_sha, events.new_sha, events.forced, events.branch_arrival, events.action,
           events.source_repository_id, events.facts, deliveries.source,
           (branches.chain IS DISTINCT FROM 'unsure') AS is_placed
    FROM sluice.events
    JOIN sluice.deliveries ON deliveries.id = events.delivery_id
    LEFT JOIN sluice.repositories ON repositories.id = events.repository_id
    LEFT JOIN sluice.branches
      ON events.ref_kind = 'branch' AND branches.repository_id = events.repository_id AND branches.name = events.ref_name`;
}

const NO_REF = { refKind: null, refName: null, change: null, oldSha: null, newSha: null, forced: false };
const NO_PULL_REQUEST = { action: null, pullRequestNumber: null };

function toRow({ event, requestId: _requestId, integrationId: _integrationId, ...rest }: NewEvent) {
  const common = { ...rest, ...NO_REF, ...NO_PULL_REQUEST, kind: event.kind };
  switch (event.kind) {
    case "unsupported":
      return { ...common, facts: "{}" };
    case "push": {
      const { refKind, refName, change, oldSha, newSha, forced } = event;
      return { ...common, refKind, refName, change, oldSha, newSha, forced, facts: factsOfPush(event) };
    }
    case "pull_request": {
      const { action, pullRequest } = event;
      const { number: pullRequestNumber, source } = pullRequest;
      return { ...common, action, pullRequestNumber, newSha: source.sha, facts: factsOfPullRequest(event) };
    }
    default:
      return assertNever(event);
  }
}

function factsOfPush({ commit, actor }: PushEvent): string {
  const facts: StoredFacts = {
    ...(commit === null ? {} : { commit }),
    ...(actor === null ? {} : { actor }),
  };
  return JSON.stringify(facts);
}

function factsOfPullRequest({ actor, pullRequest, comment }: PullRequestEvent): string {
  const facts: StoredFacts = {
    pullRequest,
    ...(actor === null ? {} : { actor }),
    ...(comment === null ? {} : { comment: factsOfComment(comment) }),
  };
  return JSON.stringify(facts);
}

/** Without what people say to each other, and without names: rules need the command and the account. */
function factsOfComment(comment: CommentFacts): CommentFacts {
  const { author } = comment;
  return {
    ...comment,
    text: commandLine(comment),
    author: author === null ? null : { ...author, displayName: null },
  };
}

function toPendingEvent(row: StoredEvent): PendingEvent {
  return {
    id: row.id,
    deliveryId: row.deliveryId,
    requestId: row.requestId,
    integrationId: row.integrationId,
    sequence: row.sequence,
    receivedAt: row.receivedAt,
    repositoryId: row.repositoryId,
    sourceRepositoryId: row.sourceRepositoryId,
    branchArrival: row.branchArrival,
    isPlaced: row.isPlaced,
    source: row.source,
    event: toEvent(row),
  };
}

/** The table's check constraints hold the columns of each kind together. */
function toEvent(row: StoredEvent): Event {
  if (row.repositoryUuid === null) return { kind: "unsupported", eventKey: row.eventKey };
  const { facts, action, refKind, refName, change } = row;
  const repository = { uuid: row.repositoryUuid, fullName: row.repositoryFullName ?? "" };
  const actor = facts.actor ?? null;
  if (action !== null && facts.pullRequest !== undefined) {
    const { pullRequest, comment = null } = facts;
    return { kind: "pull_request", action, repository, actor, pullRequest, comment };
  }
  if (refKind === null || refName === null || change === null) {
    return { kind: "unsupported", eventKey: row.eventKey };
  }
  const { oldSha, newSha, forced } = row;
  const commit = facts.commit ?? null;
  return { kind: "push", repository, actor, refKind, refName, change, oldSha, newSha, forced, commit };
}
