import postgres from "postgres";

import type { RunType } from "@sluice/domain/decide";
import type { Reach } from "@sluice/domain/access";
import type { Target } from "@sluice/domain/target";
import type { TriggerState } from "@sluice/domain/trigger";

import type { Database } from "./client.ts";
import { isReached } from "./reach.ts";

/** What a scheduler asks for. A filter that is absent lets everything through. */
export interface ClaimRequest {
  /** 1 to 100. */
  readonly limit: number;
  readonly leaseMs: number;
  /** Who claims, for people; it proves nothing. */
  readonly holder: string;
  readonly kinds?: readonly Target["kind"][];
  readonly runTypes?: readonly RunType[];
  /** The target has all of them. */
  readonly labels?: readonly string[];
  /** Names of spaces; the target is in one of them, not in one below. */
  readonly spaces?: readonly string[];
  /** The spaces that the claimer's key holds in; absent: all. */
  readonly reach?: Reach;
}

/** A trigger that is the caller's until its lease expires. */
export interface Claim {
  readonly id: string;
  /** A new one for each claim, so that a report of an earlier holder is known as such (a fencing token). */
  readonly leaseToken: string;
}

/** A lease that expired, and what became of its trigger. */
export interface ExpiredLease {
  readonly id: string;
  readonly targetId: string;
  readonly state: TriggerState;
  readonly holder: string | null;
}

/** A proposed run whose holder went away is handed out at most this often (rule 28). */
const MAX_PROPOSED_ATTEMPTS = 3;

/** As many expired leases as one statement takes in hand: few enough to be found by index. */
const EXPIRED_AT_ONCE = 100;
/** A claim that met the unique index begins anew, and sees then what it had not seen. */
const MAX_CLAIM_ATTEMPTS = 5;

/**
 * Hands out what can be run now: tracked before proposed, then the oldest (rule 29). A trigger can be claimed when it is
 * `queued`, or `claimed` with a lease that expired before its holder had started. A tracked one moreover has to be the
 * first open one of its target, with nothing of its target in flight, and with no earlier event on the tracked branch
 * that is still undecided and may become a tracked trigger before it. Nothing of a target that is disabled or removed is
 * handed out. The answer is in the order of claiming.
 *
 * Claimers that run at once, under READ COMMITTED:
 * - They may choose the same row; the first to lock it has it, the others skip it. A row that changed between a
 *   claimer's snapshot and its lock is checked again in its newest version, so that it is not handed out twice.
 * - What that check does not repeat is the look at other rows: a claimer whose snapshot is old may take a target's second
 *   trigger for its first. States that a trigger leaves for good make that impossible for those that arrive in order;
 *   for one that a person inserts before others, the unique index `triggers_slot_key` refuses the second in flight.
 * - An earlier event is seen or is no longer needed: events of a repository are numbered and committed one after another
 *   under its lock, and an event's triggers are committed together with the mark that it is decided.
 */
export async function claimTriggers(db: Database, request: ClaimRequest): Promise<Claim[]> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await claimOnce(db, request);
    } catch (error) {
      if (attempt === MAX_CLAIM_ATTEMPTS || !isSlotTaken(error)) throw error;
    }
  }
}

async function claimOnce(db: Database, request: ClaimRequest): Promise<Claim[]> {
  const { limit, leaseMs, holder } = request;
  const takes = (runType: RunType) => request.runTypes?.includes(runType) ?? true;
  const rows = await db.sql<Claim[]>`
    WITH RECURSIVE head AS (
      -- The first open tracked trigger of each target: one step in the index a target, however many wait behind it.
      (SELECT target_id, id, position, state FROM sluice.triggers
       WHERE ${openTracked(db)} AND ${takes("tracked")}
       ORDER BY target_id, position, id LIMIT 1)
      UNION ALL
      SELECT next.* FROM head CROSS JOIN LATERAL (
        SELECT target_id, id, position, state FROM sluice.triggers
        WHERE ${openTracked(db)} AND target_id > head.target_id
        ORDER BY target_id, position, id LIMIT 1
      ) AS next
    ), tracked AS (
      SELECT triggers.id
      -- Sorted before the rest is looked at, which then ends with the limit.
      FROM (SELECT * FROM head WHERE state IN ('queued', 'claimed') ORDER BY position, id) AS head
      JOIN sluice.triggers ON triggers.id = head.id
      JOIN sluice.targets ON targets.id = head.target_id
      WHERE ${claimable(db)} AND ${wanted(db, request)}
        AND NOT EXISTS (
          SELECT FROM sluice.triggers AS other
          WHERE other.target_id = head.target_id AND other.run_type = 'tracked'
            AND other.state IN ('claimed', 'running', 'waiting', 'lost') AND other.id <> head.id
        )
        AND NOT EXISTS (
          SELECT FROM sluice.events
          WHERE events.repository_id = targets.repository_id AND events.ref_name = targets.tracked_branch
            AND events.sequence < head.position AND events.decided_at IS NULL
        )
      ORDER BY head.position, head.id
      LIMIT ${limit}
      FOR UPDATE OF triggers SKIP LOCKED
    ), proposed AS (
      SELECT triggers.id
      FROM sluice.triggers
      JOIN sluice.targets ON targets.id = triggers.target_id
      WHERE triggers.run_type = 'proposed' AND triggers.state IN ('queued', 'claimed') AND ${takes("proposed")}
        AND ${claimable(db)} AND ${wanted(db, request)}
      ORDER BY triggers.position, triggers.id
      LIMIT ${limit} - (SELECT count(*) FROM tracked)
      FOR UPDATE OF triggers SKIP LOCKED
    ), claimed AS (
      UPDATE sluice.triggers
      SET state = 'claimed', attempt = attempt + 1, lease_token = gen_random_uuid(), lease_holder = ${holder},
          lease_expires_at = now() + ${leaseMs} * interval '1 millisecond', updated_at = now()
      WHERE id = ANY (ARRAY(SELECT id FROM tracked UNION ALL SELECT id FROM proposed))
      RETURNING id, lease_token, run_type, position
    ), history AS (
      INSERT INTO sluice.trigger_history (trigger_id, state, actor) SELECT id, 'claimed', ${holder} FROM claimed
    )
    SELECT id, lease_token FROM claimed ORDER BY run_type = 'tracked' DESC, position, id`;
  return [...rows];
}

/**
 * Takes back leases that expired, each with a line of history:
 * - a tracked run becomes `lost` and keeps its target's slot (rule 28);
 * - a proposed run is queued again, at most 3 attempts in all, then it is `failed`;
 * - a tracked trigger that was claimed and never started is queued again when one that goes before it has come
 *   meanwhile. Any other claimed one stays: it can be claimed as it is, and its holder may still start it;
 * - what was to be cancelled, and is not perhaps being applied, is `canceled`.
 */
export async function expireLeases(db: Database): Promise<ExpiredLease[]> {
  const all: ExpiredLease[] = [];
  for (;;) {
    const batch = await expireSome(db);
    all.push(...batch);
    if (batch.length < EXPIRED_AT_ONCE) return all;
  }
}

async function expireSome(db: Database): Promise<readonly ExpiredLease[]> {
  return db.sql<ExpiredLease[]>`
    WITH expired AS (
      SELECT id, lease_holder, CASE
        WHEN cancel_requested AND (state = 'claimed' OR run_type = 'proposed') THEN 'canceled'
        WHEN state = 'claimed' THEN 'queued'
        WHEN run_type = 'tracked' THEN 'lost'
        WHEN attempt < ${MAX_PROPOSED_ATTEMPTS} THEN 'queued'
        ELSE 'failed'
      END AS becomes
      FROM sluice.triggers
      WHERE state IN ('claimed', 'running') AND lease_expires_at <= now()
        AND (state = 'running' OR cancel_requested OR (run_type = 'tracked' AND EXISTS (
          SELECT FROM sluice.triggers AS earlier
          WHERE earlier.target_id = triggers.target_id AND earlier.run_type = 'tracked'
            AND earlier.state IN ('blocked', 'queued')
            AND (earlier.position, earlier.id) < (triggers.position, triggers.id)
        )))
      ORDER BY lease_expires_at
      LIMIT ${EXPIRED_AT_ONCE}
      FOR UPDATE SKIP LOCKED
    ), taken_back AS (
      UPDATE sluice.triggers
      SET state = becomes,
          lease_token = CASE WHEN becomes = 'lost' THEN lease_token END,
          lease_holder = CASE WHEN becomes = 'lost' THEN triggers.lease_holder END,
          lease_expires_at = CASE WHEN becomes = 'lost' THEN lease_expires_at END,
          run_id = CASE WHEN becomes <> 'queued' THEN run_id END,
          run_url = CASE WHEN becomes <> 'queued' THEN run_url END,
          message = CASE
            WHEN becomes = 'failed' THEN 'No holder finished it: the lease expired in each of ' || attempt || ' attempts.'
            WHEN becomes = 'canceled' THEN 'Its cancellation was asked for, and its holder went away.'
          END,
          updated_at = now()
      FROM expired WHERE triggers.id = expired.id
      RETURNING triggers.id, target_id, state, expired.lease_holder AS holder
    ), history AS (
      INSERT INTO sluice.trigger_history (trigger_id, state, actor, note)
      SELECT id, state, 'worker', 'the lease of ' || holder || ' expired' FROM taken_back
    )
    SELECT id, target_id, state, holder FROM taken_back`;
}

/** The condition of `triggers_tracked_open_idx`. */
function openTracked(db: Database) {
  return db.sql`run_type = 'tracked' AND state IN ('blocked', 'queued', 'claimed', 'running', 'waiting', 'lost')`;
}

/** A claimed one whose cancellation was asked for is not handed out again: `expireLeases` ends it. */
function claimable(db: Database) {
  return db.sql`(triggers.state = 'queued' OR (
    triggers.state = 'claimed' AND triggers.lease_expires_at <= now() AND NOT triggers.cancel_requested
  ))`;
}

function wanted(db: Database, { kinds, labels, spaces, reach }: ClaimRequest) {
  const { sql } = db;
  const inSpaces = () =>
    sql`AND targets.space_id IN (SELECT id FROM sluice.spaces WHERE name = ANY(${spaces ?? []}::text[]))`;
  return sql`targets.enabled AND targets.removed_at IS NULL
    ${kinds === undefined ? sql`` : sql`AND targets.kind = ANY(${kinds}::text[])`}
    ${labels === undefined ? sql`` : sql`AND targets.labels @> ${JSON.stringify(labels)}::jsonb`}
    ${spaces === undefined ? sql`` : inSpaces()}
    ${reach === undefined ? sql`` : sql`AND ${isReached(db, reach, sql`targets.space_id`)}`}`;
}

function isSlotTaken(error: unknown): boolean {
  return (
    error instanceof postgres.PostgresError &&
    error.code === "23505" &&
    error.constraint_name === "triggers_slot_key"
  );
}
