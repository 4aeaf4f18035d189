/** Events as lists show them. Times are RFC 3339. */
import type { Reach } from "@sluice/domain/access";
import type { Event } from "@sluice/domain/event";

import type { Database } from "./client.ts";
import type { EventReport } from "./delivery-reports.ts";
import { isEventReached } from "./event-reach.ts";
import { hashesOf } from "./event-references.ts";
import { toRfc3339 } from "./rfc3339.ts";
import { newShaBeginsWith } from "./sha-prefix.ts";

/** An event without its decisions. */
export interface EventRecord extends Omit<EventReport, "decisions"> {
  readonly deliveryId: string;
  readonly eventKey: string;
  /** Null where `repository` is. */
  readonly repositoryId: string | null;
  readonly receivedAt: string;
}

/** Which events are wanted; what is left out does not matter. */
export interface EventFilter {
  readonly repositoryId?: string | undefined;
  readonly kind?: Event["kind"] | undefined;
  readonly eventKey?: string | undefined;
  /** The commit that a push came to, or that was the head of a pull request: 7 to 40 hex digits, in lower case. */
  readonly commit?: string | undefined;
  /** A number within the repository. */
  readonly pullRequest?: number | undefined;
  /** Only those that wait for their decisions. */
  readonly isUndecided: boolean;
}

/**
 * Events within reach, the newest first; `before`: the id of the last one of the page before. By `events_new_sha_idx` for a
 * commit, `events_pull_request_idx` for a pull request, `events_undecided_idx` for undecided ones, `events_repository_idx` for
 * a repository, else by the primary key from its end.
 */
export async function listEventRecords(
  db: Database,
  page: {
    readonly reach: Reach;
    readonly filter: EventFilter;
    readonly limit: number;
    readonly before: string | null;
  },
): Promise<EventRecord[]> {
  const { sql } = db;
  const { reach, limit, before } = page;
  const { repositoryId, kind, eventKey, commit, pullRequest, isUndecided } = page.filter;
  const all = sql`true`;
  const isWanted = sql`
    ${isEventReached(db, reach)}
      AND ${before === null ? all : sql`events.id < ${before}::uuid`}
      AND ${kind === undefined ? all : sql`events.kind = ${kind}`}
      AND ${commit === undefined ? all : newShaIs(db, commit)}
      AND ${pullRequest === undefined ? all : sql`events.pull_request_number = ${pullRequest}`}
      AND ${isUndecided ? sql`events.decided_at IS NULL` : all}`;
  const isOfKey = eventKey === undefined ? all : sql`events.event_key = ${eventKey}`;
  const isOfRepository = repositoryId === undefined ? all : sql`events.repository_id = ${repositoryId}::uuid`;
  // Whatever else is asked for is found by an index of its own.
  const isOfRepositoryAlone =
    repositoryId !== undefined && [eventKey, commit, pullRequest].every((part) => part === undefined);
  const found =
    isOfRepositoryAlone && !isUndecided
      ? newestOfEachKey(db, { repositoryId, isWanted, limit })
      : sql`${selectIds(db)} WHERE ${isWanted} AND ${isOfKey} AND ${isOfRepository} ORDER BY events.id DESC LIMIT ${limit}`;
  const rows = await sql<EventRecord[]>`
    SELECT events.id, events.delivery_id, index, kind, event_key, events.repository_id, full_name AS repository, ref_kind,
           ref_name, change, old_sha, new_sha, action, pull_request_number, received_at, decided_at
    FROM (${found}) AS found
    JOIN sluice.events ON events.id = found.id
    LEFT JOIN sluice.repositories ON repositories.id = events.repository_id
    ORDER BY events.id DESC
    LIMIT ${limit}`;
  return rows.map(toRecord);
}

/** The delivery of an event; null when there is no such event within reach. */
export async function findEventDelivery(
  db: Database,
  { id, reach }: { readonly id: string; readonly reach: Reach },
): Promise<string | null> {
  const [row] = await db.sql<{ deliveryId: string }[]>`
    SELECT delivery_id FROM sluice.events WHERE id = ${id} AND ${isEventReached(db, reach)}`;
  return row?.deliveryId ?? null;
}

type Fragment = ReturnType<typeof selectIds>;

function selectIds(db: Database) {
  return db.sql`SELECT events.id FROM sluice.events`;
}

/** `events_repository_idx` has the key before the id: one step to each of a repository's few keys, and its newest from there. */
function newestOfEachKey(
  db: Database,
  {
    repositoryId,
    isWanted,
    limit,
  }: { readonly repositoryId: string; readonly isWanted: Fragment; readonly limit: number },
): Fragment {
  const { sql } = db;
  const nextKey = sql`
    SELECT event_key FROM sluice.events WHERE repository_id = ${repositoryId}::uuid`;
  return sql`
    WITH RECURSIVE keys AS (
      (${nextKey} ORDER BY event_key LIMIT 1)
      UNION ALL
      SELECT next.event_key FROM keys CROSS JOIN LATERAL (
        ${nextKey} AND event_key > keys.event_key ORDER BY event_key LIMIT 1
      ) AS next
    )
    SELECT newest.id FROM keys CROSS JOIN LATERAL (
      ${selectIds(db)}
      WHERE events.repository_id = ${repositoryId}::uuid AND events.event_key = keys.event_key AND ${isWanted}
      ORDER BY events.id DESC LIMIT ${limit}
    ) AS newest
    ORDER BY newest.id DESC LIMIT ${limit}`;
}

/** The hash itself, also as it is stored of a push that nobody has looked up at Bitbucket. */
function newShaIs(db: Database, commit: string): Fragment {
  const { sql } = db;
  return sql`(new_sha = ANY(${hashesOf(commit)}::text[]) OR ${newShaBeginsWith(db, commit)})`;
}

function toRecord(row: EventRecord): EventRecord {
  return {
    ...row,
    receivedAt: toRfc3339(row.receivedAt),
    decidedAt: row.decidedAt === null ? null : toRfc3339(row.decidedAt),
  };
}
