/**
 * Deletes what is older than it has to be kept, a page at a time, each in a transaction of its own. What stays is walked
 * past by index and is never locked (docs/decisions/0006-retention-walks-indexes.md).
 */
import { LATEST_PUSHES } from "./branch-pushes.ts";
import type { Database } from "./client.ts";
import { deleteOldPullRequests, isOfOpenPullRequest } from "./retention-pull-requests.ts";

/** A place in the order in which deliveries were recorded. */
export interface RetentionPlace {
  readonly recordedAt: string;
  readonly id: string;
}

/** Before everything. */
export const RETENTION_START: RetentionPlace = {
  recordedAt: "-infinity",
  id: "00000000-0000-0000-0000-000000000000",
};

/** What is looked at: the oldest that come after a place. */
export interface RetentionPage {
  readonly olderThanDays: number;
  readonly after: RetentionPlace;
  readonly limit: number;
}

/** How many rows are gone, by table, and where the next page begins; `next` is null when nothing as old is left. */
export interface RetentionBatch<Table extends string> {
  readonly deleted: Readonly<Record<Table, number>>;
  readonly next: RetentionPlace | null;
}

/** Under which one transaction at a time deletes: `RETN` in ASCII. */
const RETENTION_LOCK = 0x52_45_54_4e;

/**
 * Begins a transaction of retention: rows are looked up one by one, whatever the planner believes of the tables, and not
 * even a foreign key's check reads a whole one.
 * @returns false when another transaction of retention is under way. This one is to do nothing then.
 */
export async function beginRetention(tx: Database): Promise<boolean> {
  const [row] = await tx.sql<{ isOurs: boolean }[]>`
    SELECT pg_try_advisory_xact_lock(${RETENTION_LOCK}) AS is_ours, set_config('enable_seqscan', 'off', true),
           set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true)`;
  return row?.isOurs === true;
}

/**
 * Deletes the bodies of old deliveries, which stay without them. That of a delivery that could not be read stays with it:
 * nothing else says what it was.
 */
export async function deleteOldBodies(
  tx: Database,
  { olderThanDays, after, limit }: RetentionPage,
): Promise<RetentionBatch<"bodies">> {
  const [{ bodies, ...end } = { bodies: 0, ...EMPTY_PAGE }] = await tx.sql<(PageEnd & { bodies: number })[]>`
    WITH page AS MATERIALIZED (
      SELECT delivery_id AS id, recorded_at FROM sluice.delivery_bodies
      WHERE recorded_at < now() - ${olderThanDays} * interval '1 day'
        AND (recorded_at, delivery_id) > (${after.recordedAt}::timestamptz, ${after.id}::uuid)
      ORDER BY recorded_at, delivery_id LIMIT ${limit}
    ), bodies AS (
      DELETE FROM sluice.delivery_bodies USING page, sluice.deliveries
      WHERE delivery_bodies.delivery_id = page.id AND deliveries.id = page.id AND deliveries.outcome <> 'failed'
      RETURNING 1
    )
    SELECT (SELECT count(*) FROM bodies)::int AS bodies, ${pageEnd(tx)}`;
  return { deleted: { bodies }, next: placeAfter(end, limit) };
}

/** What goes with old deliveries. `links` and `commits`: of commits to pull requests, and those to be asked about. */
type OldTable =
  "deliveries" | "events" | "decisions" | "triggers" | "history" | "pullRequests" | "links" | "commits";

const NOTHING: Readonly<Record<OldTable, number>> = {
  deliveries: 0,
  events: 0,
  decisions: 0,
  triggers: 0,
  history: 0,
  pullRequests: 0,
  links: 0,
  commits: 0,
};

/**
 * Deletes old deliveries, each with its events, their decisions, and their triggers with their history; or leaves all of
 * that, when any of it is still needed (`isNeeded`). Pull requests and links of commits go with the last events that tell of
 * them. One statement: its locks are taken together and last as long as it
 * does. Nobody else waits for rows as old; only who locks all claims out (`lockOutClaims`) waits for its end.
 */
export async function deleteOldDeliveries(
  tx: Database,
  { olderThanDays, after, limit }: RetentionPage,
): Promise<RetentionBatch<OldTable>> {
  const [row = { ...NOTHING, ...EMPTY_PAGE }] = await tx.sql<(PageEnd & Record<OldTable, number>)[]>`
    WITH page AS MATERIALIZED (
      SELECT id, recorded_at FROM sluice.deliveries
      WHERE recorded_at < now() - ${olderThanDays} * interval '1 day'
        AND (recorded_at, id) > (${after.recordedAt}::timestamptz, ${after.id}::uuid)
      ORDER BY recorded_at, id LIMIT ${limit}
    ), old AS MATERIALIZED (
      SELECT id FROM page
      WHERE NOT EXISTS (
        SELECT FROM sluice.events WHERE events.delivery_id = page.id AND (${isNeeded(tx, olderThanDays)}) OFFSET 0
      )
    ), old_events AS MATERIALIZED (
      SELECT events.id, repository_id, pull_request_number, new_sha FROM old JOIN sluice.events ON events.delivery_id = old.id
    ), old_triggers AS MATERIALIZED (
      SELECT triggers.id, triggers.repository_id, commit_sha FROM old_events JOIN sluice.triggers ON triggers.event_id = old_events.id
    ), history AS (
      DELETE FROM sluice.trigger_history USING old_triggers WHERE trigger_history.trigger_id = old_triggers.id RETURNING 1
    ), decisions AS (
      DELETE FROM sluice.decisions USING old_events WHERE decisions.event_id = old_events.id RETURNING 1
    ), triggers AS (
      DELETE FROM sluice.triggers USING old_triggers WHERE triggers.id = old_triggers.id RETURNING 1
    ), events AS (
      -- One that is to be decided anew since it was looked at stays; the statement fails by that, and is tried again.
      DELETE FROM sluice.events USING old_events
      WHERE events.id = old_events.id AND events.decided_at IS NOT NULL RETURNING 1
    ), deliveries AS (
      DELETE FROM sluice.deliveries USING old WHERE deliveries.id = old.id RETURNING 1
    ), ${deleteOldPullRequests(tx, olderThanDays)}
    SELECT (SELECT count(*) FROM deliveries)::int AS deliveries, (SELECT count(*) FROM events)::int AS events,
           (SELECT count(*) FROM decisions)::int AS decisions, (SELECT count(*) FROM triggers)::int AS triggers,
           (SELECT count(*) FROM history)::int AS history,
           (SELECT count(*) FROM pull_requests)::int AS pull_requests, (SELECT count(*) FROM links)::int AS links,
           (SELECT count(*) FROM commits)::int AS commits, ${pageEnd(tx)}`;
  const { seen, recordedAt, id, ...deleted } = row;
  return { deleted, next: placeAfter({ seen, recordedAt, id }, limit) };
}

/**
 * Whether an event, or what came of it, has to stay: it waits for its decisions, it tells where a branch or an open pull
 * request is, a person has not decided yet, a decision is younger, or a trigger is needed. OFFSET lets no join be made of the questions: each is
 * one look into an index.
 */
function isNeeded(tx: Database, olderThanDays: number) {
  return tx.sql`
    events.decided_at IS NULL
    OR (events.ref_kind = 'branch' AND ${isLatestPush(tx)})
    OR (events.pull_request_number IS NOT NULL AND ${isOfOpenPullRequest(tx)})
    OR EXISTS (
      SELECT FROM sluice.decisions
      WHERE decisions.event_id = events.id
        AND (outcome = 'hold' OR decisions.decided_at >= now() - ${olderThanDays} * interval '1 day')
      OFFSET 0
    )
    OR EXISTS (
      SELECT FROM sluice.triggers
      WHERE triggers.event_id = events.id
        AND (triggers.state NOT ${inEndState(tx)} OR triggers.updated_at >= now() - ${olderThanDays} * interval '1 day'
             OR (run_type = 'tracked' AND ${isTrackedLast(tx)}))
      OFFSET 0
    )`;
}

/** Late pushes are placed among the latest of their branch (rule 14). A branch that is known to be gone begins anew. */
function isLatestPush(tx: Database) {
  return tx.sql`
    NOT EXISTS (
      SELECT FROM sluice.branches
      WHERE branches.repository_id = events.repository_id AND branches.name = events.ref_name
        AND branches.head_sha IS NULL AND branches.chain <> 'unsure'
      OFFSET 0
    )
    AND NOT EXISTS (
      SELECT FROM sluice.events AS later
      WHERE later.repository_id = events.repository_id AND later.ref_kind = 'branch'
        AND later.ref_name = events.ref_name AND later.sequence > events.sequence
      ORDER BY later.sequence OFFSET ${LATEST_PUSHES - 1} LIMIT 1
    )`;
}

/**
 * Whether a tracked trigger tells what its target was at before a run that has not ended, or is at now; or is the last
 * that was handed out, by which an older commit is known as stale.
 */
function isTrackedLast(tx: Database) {
  return tx.sql`(
    NOT coalesce((
      SELECT next.state ${inEndState(tx)} FROM sluice.triggers AS next
      WHERE next.target_id = triggers.target_id AND next.run_type = 'tracked' AND next.position > triggers.position
      ORDER BY next.position LIMIT 1
    ), false)
    OR (triggers.attempt > 0 AND NOT EXISTS (
      SELECT FROM sluice.triggers AS later
      WHERE later.target_id = triggers.target_id AND later.run_type = 'tracked' AND later.position > triggers.position
        AND later.attempt > 0
      ORDER BY later.position OFFSET 0 LIMIT 1
    ))
  )`;
}

function inEndState(tx: Database) {
  return tx.sql`IN ('succeeded', 'failed', 'canceled', 'superseded')`;
}

/** How many were looked at, and the last of them. */
interface PageEnd {
  readonly seen: number;
  readonly recordedAt: string | null;
  readonly id: string | null;
}

const EMPTY_PAGE: PageEnd = { seen: 0, recordedAt: null, id: null };

function pageEnd(tx: Database) {
  return tx.sql`
    (SELECT count(*) FROM page)::int AS seen,
    (SELECT recorded_at FROM page ORDER BY recorded_at DESC, id DESC LIMIT 1) AS recorded_at,
    (SELECT id FROM page ORDER BY recorded_at DESC, id DESC LIMIT 1) AS id`;
}

function placeAfter({ seen, recordedAt, id }: PageEnd, limit: number): RetentionPlace | null {
  return seen < limit || recordedAt === null || id === null ? null : { recordedAt, id };
}
