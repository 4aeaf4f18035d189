/** What people name an event by, and which events are meant. */
import type postgres from "postgres";

import type { Database } from "./client.ts";
import { newShaBeginsWith } from "./sha-prefix.ts";

/** What somebody may have at hand of an event. */
export type EventReference =
  /** A UUID: of a delivery, of its request (X-Request-UUID), of an event, or of a trigger. */
  | { readonly kind: "id"; readonly id: string }
  /** The commit that a push came to, or that was the head of a pull request: 7 to 40 hex digits, in lower case. */
  | { readonly kind: "commit"; readonly sha: string }
  /** `repository` is `workspace/slug`, which has no case. */
  | { readonly kind: "branch"; readonly repository: string; readonly branch: string }
  /** `repository` as above: that of the destination. */
  | { readonly kind: "pull_request"; readonly repository: string; readonly number: number };

/** An event that was meant, or a delivery that gave none. */
export interface ReferredEvent {
  readonly deliveryId: string;
  /** Null: the delivery gave no event. */
  readonly eventId: string | null;
  /** The trigger that it was named by; null when it was named otherwise. */
  readonly triggerId: string | null;
}

const MIN_SHA_LENGTH = 7;
const SHA_LENGTH = 40;

/** What was found, the newest first. */
export interface ReferredEvents {
  readonly events: readonly ReferredEvent[];
  /** Whether some were left out. */
  readonly hasMore: boolean;
}

/** With its place in the order of pushes; null for a delivery without events. */
type Row = ReferredEvent & { readonly sequence: number | null };

/**
 * At most `limit` events, the newest first, in the order of their pushes. Where several repositories have such events, the
 * newest of each goes before the older ones of any. Each is found by an index, at any number of rows:
 * - an id: the primary keys, and `deliveries_identity_key` for a request, once for each integration;
 * - a branch: `repositories_name_idx`, once for each integration, and `events_branch_idx`, read backwards;
 * - a pull request: likewise, and `events_pull_request_idx`;
 * - a commit: `events_new_sha_idx`, which has to have `text_pattern_ops`: only bytewise, as `~>~` compares, do all hashes
 *   that begin alike stand together in any locale.
 */
export async function findReferredEvents(
  db: Database,
  reference: EventReference,
  limit: number,
): Promise<ReferredEvents> {
  // One more than is wanted says that there are others.
  const rows = await listRows(db, reference, limit + 1);
  const events = rows
    .slice(0, limit)
    .toSorted((a, b) => (b.sequence ?? 0) - (a.sequence ?? 0))
    .map(({ deliveryId, eventId, triggerId }) => ({ deliveryId, eventId, triggerId }));
  return { events, hasMore: rows.length > limit };
}

/** Those that are to be shown rather than others first. */
function listRows(db: Database, reference: EventReference, limit: number): Promise<readonly Row[]> {
  switch (reference.kind) {
    case "id":
      return listById(db, reference.id, limit);
    case "commit":
      return listByCommit(db, reference.sha, limit);
    case "branch":
      return listByBranch(db, reference, limit);
    case "pull_request":
      return listByPullRequest(db, reference, limit);
  }
}

function listById(db: Database, id: string, limit: number): Promise<readonly Row[]> {
  return db.sql<Row[]>`
    WITH named AS (
      SELECT id AS delivery_id, NULL::uuid AS event_id, NULL::uuid AS trigger_id
      FROM sluice.deliveries WHERE id = ${id}
      UNION
      SELECT request.id, NULL, NULL FROM sluice.integrations CROSS JOIN LATERAL (
        SELECT id FROM sluice.deliveries
        WHERE integration_id = integrations.id AND request_id = ${id}::text LIMIT 1
      ) AS request
      UNION
      SELECT delivery_id, id, NULL FROM sluice.events WHERE id = ${id}
      UNION
      SELECT events.delivery_id, events.id, triggers.id
      FROM sluice.triggers JOIN sluice.events ON events.id = triggers.event_id WHERE triggers.id = ${id}
    )
    SELECT named.delivery_id, events.id AS event_id, named.trigger_id, events.sequence
    FROM named LEFT JOIN sluice.events
      ON events.delivery_id = named.delivery_id AND (named.event_id IS NULL OR events.id = named.event_id)
    ORDER BY events.sequence DESC NULLS LAST, named.delivery_id, events.id DESC
    LIMIT ${limit}`;
}

function listByCommit(db: Database, sha: string, limit: number): Promise<readonly Row[]> {
  return newestOfEach(
    db,
    db.sql`
      SELECT id, delivery_id, repository_id, sequence FROM sluice.events
      WHERE new_sha = ANY(${hashesOf(sha)}::text[])
      ${sha.length < SHA_LENGTH ? db.sql`OR ${newShaBeginsWith(db, sha)}` : db.sql``}`,
    limit,
  );
}

/** A hash of 7 digits or more, and as it is stored of a push that nobody has looked up at Bitbucket. */
export function hashesOf(sha: string): string[] {
  return Array.from({ length: sha.length - MIN_SHA_LENGTH + 1 }, (_, more) =>
    sha.slice(0, MIN_SHA_LENGTH + more),
  );
}

function listByBranch(
  db: Database,
  { repository, branch }: Extract<EventReference, { readonly kind: "branch" }>,
  limit: number,
): Promise<readonly Row[]> {
  return newestNamed(db, repository, db.sql`ref_kind = 'branch' AND ref_name = ${branch}`, limit);
}

function listByPullRequest(
  db: Database,
  { repository, number }: Extract<EventReference, { readonly kind: "pull_request" }>,
  limit: number,
): Promise<readonly Row[]> {
  return newestNamed(db, repository, db.sql`pull_request_number = ${number}`, limit);
}

/** Of the repositories that integrations know by this name, the events for which `condition` holds. */
function newestNamed(
  db: Database,
  repository: string,
  condition: postgres.Fragment,
  limit: number,
): Promise<readonly Row[]> {
  return newestOfEach(
    db,
    db.sql`
      SELECT latest.*
      FROM sluice.integrations
      CROSS JOIN LATERAL (
        SELECT id FROM sluice.repositories
        WHERE integration_id = integrations.id AND lower(full_name) = lower(${repository})
      ) AS repository
      CROSS JOIN LATERAL (
        SELECT id, delivery_id, repository_id, sequence FROM sluice.events
        WHERE repository_id = repository.id AND ${condition}
        ORDER BY sequence DESC LIMIT ${limit}
      ) AS latest`,
    limit,
  );
}

/** Of a hundred pushes to one repository and one to another, the latter is not left out. */
function newestOfEach(db: Database, events: postgres.Fragment, limit: number): Promise<readonly Row[]> {
  return db.sql<Row[]>`
    WITH found AS (
      SELECT id, delivery_id, sequence, row_number() OVER (PARTITION BY repository_id ORDER BY sequence DESC, id DESC) AS age
      FROM (${events}) AS events
    )
    SELECT delivery_id, id AS event_id, NULL::uuid AS trigger_id, sequence
    FROM found ORDER BY age, sequence DESC, id DESC LIMIT ${limit}`;
}

/**
 * What is known of a repository: null when neither a delivery nor a target has named it; otherwise whether a delivery
 * ever came from it. By `repositories_name_idx`.
 */
export async function findRepositoryStanding(
  db: Database,
  fullName: string,
): Promise<{ readonly isSeen: boolean } | null> {
  const [row] = await db.sql<{ isSeen: boolean | null }[]>`
    SELECT bool_or(repository.uuid IS NOT NULL) AS is_seen
    FROM sluice.integrations CROSS JOIN LATERAL (
      SELECT uuid FROM sluice.repositories
      WHERE integration_id = integrations.id AND lower(full_name) = lower(${fullName})
    ) AS repository`;
  return row === undefined || row.isSeen === null ? null : { isSeen: row.isSeen };
}
