/** Where triggers stand, and how they came there: for people. */
import { SLOT_STATES, type TriggerState } from "@sluice/domain/trigger";
import type { RunType } from "@sluice/domain/decide";

import type { Database } from "./client.ts";
import { toRfc3339 } from "./rfc3339.ts";

/** A line of a trigger's history. */
export interface TriggerChange {
  readonly state: string;
  /** A stage of ours, a holder, or a person. */
  readonly actor: string;
  readonly note: string | null;
  /** RFC 3339. */
  readonly at: string;
}

/** Why a tracked trigger that nobody has is not handed out; see `claimTriggers`. */
export type HeldBackBy =
  /** Its own target. */
  | { readonly kind: "target"; readonly state: "removed" | "disabled" }
  /** Another of its target goes first, or is in flight. */
  | { readonly kind: "trigger"; readonly id: string; readonly state: TriggerState }
  /** An earlier push to the branch is not decided. */
  | { readonly kind: "event"; readonly id: string };

/** Times are RFC 3339. */
export interface TriggerStanding {
  readonly id: string;
  readonly eventId: string;
  readonly runType: RunType;
  readonly commitSha: string;
  readonly refName: string;
  readonly state: TriggerState;
  /** How often it was claimed. */
  readonly attempt: number;
  readonly cancelRequested: boolean;
  /** Null: nobody has it. */
  readonly lease: {
    readonly holder: string;
    /** Null: held without an end. */
    readonly expiresAt: string | null;
    readonly isExpired: boolean;
  } | null;
  readonly run: { readonly id: string | null; readonly url: string | null };
  readonly message: string | null;
  /** Null also for one that somebody has, and for one that has ended. */
  readonly heldBackBy: HeldBackBy | null;
  /** The latest 20 changes, the oldest of them first. */
  readonly history: readonly TriggerChange[];
  readonly hasEarlierHistory: boolean;
}

interface Row extends Omit<TriggerStanding, "lease" | "heldBackBy" | "history" | "hasEarlierHistory"> {
  readonly leaseHolder: string | null;
  readonly leaseExpiresAt: string | null;
  readonly isExpired: boolean;
  readonly targetState: "removed" | "disabled" | null;
  readonly earlierTrigger: { readonly id: string; readonly state: TriggerState } | null;
  readonly earlierEvent: string | null;
}

const MAX_HISTORY = 20;

/** Where these triggers stand, by id; one that does not exist is absent. */
export async function listTriggerStandings(
  db: Database,
  ids: readonly string[],
): Promise<ReadonlyMap<string, TriggerStanding>> {
  if (ids.length === 0) return new Map();
  const [rows, histories] = await Promise.all([listRows(db, ids), listHistories(db, ids)]);
  return new Map(rows.map((row) => [row.id, toStanding(row, histories.get(row.id) ?? [])]));
}

/** What holds a trigger back is what a claim asks: by `triggers_tracked_open_idx` and `events_undecided_idx`. */
async function listRows(db: Database, ids: readonly string[]): Promise<readonly Row[]> {
  return db.sql<Row[]>`
    SELECT triggers.id, triggers.event_id, triggers.run_type, triggers.commit_sha, triggers.ref_name, triggers.state,
           triggers.attempt, triggers.cancel_requested, triggers.message, triggers.lease_holder,
           triggers.lease_expires_at, coalesce(triggers.lease_expires_at <= now(), false) AS is_expired,
           json_build_object('id', triggers.run_id, 'url', triggers.run_url) AS run,
           CASE WHEN targets.removed_at IS NOT NULL THEN 'removed' WHEN NOT targets.enabled THEN 'disabled' END
             AS target_state,
           first.earlier_trigger, waiting.id AS earlier_event
    FROM sluice.triggers
    JOIN sluice.targets ON targets.id = triggers.target_id
    LEFT JOIN LATERAL (
      SELECT json_build_object('id', other.id, 'state', other.state) AS earlier_trigger
      FROM sluice.triggers AS other
      WHERE other.target_id = triggers.target_id AND other.run_type = 'tracked'
        AND other.state IN ('blocked', 'queued', 'claimed', 'running', 'waiting', 'lost') AND other.id <> triggers.id
        AND (
          other.state = ANY(${SLOT_STATES}::text[])
          OR (other.position, other.id) < (triggers.position, triggers.id)
        )
      ORDER BY other.state = ANY(${SLOT_STATES}::text[]) DESC, other.position, other.id LIMIT 1
    ) AS first ON triggers.run_type = 'tracked' AND triggers.state IN ('blocked', 'queued')
    LEFT JOIN LATERAL (
      SELECT id FROM sluice.events
      WHERE events.repository_id = targets.repository_id AND events.ref_name = targets.tracked_branch
        AND events.sequence < triggers.position AND events.decided_at IS NULL
      ORDER BY sequence LIMIT 1
    ) AS waiting ON triggers.run_type = 'tracked' AND triggers.state IN ('blocked', 'queued')
    WHERE triggers.id = ANY(${ids}::uuid[])`;
}

/** By `trigger_history_trigger_idx`; one line more than is shown, which says that there are others. */
async function listHistories(
  db: Database,
  ids: readonly string[],
): Promise<ReadonlyMap<string, readonly TriggerChange[]>> {
  const rows = await db.sql<(TriggerChange & { triggerId: string })[]>`
    SELECT wanted.id AS trigger_id, latest.state, latest.actor, latest.note, latest.at
    FROM unnest(${ids}::uuid[]) AS wanted (id)
    CROSS JOIN LATERAL (
      SELECT id, state, actor, note, at FROM sluice.trigger_history WHERE trigger_id = wanted.id
      ORDER BY at DESC, id DESC LIMIT ${MAX_HISTORY + 1}
    ) AS latest
    ORDER BY wanted.id, latest.at, latest.id`;
  const histories = new Map<string, TriggerChange[]>();
  for (const { triggerId, at, ...change } of rows) {
    const history = histories.get(triggerId) ?? [];
    histories.set(triggerId, [...history, { ...change, at: toRfc3339(at) }]);
  }
  return histories;
}

function toStanding(row: Row, history: readonly TriggerChange[]): TriggerStanding {
  return {
    id: row.id,
    eventId: row.eventId,
    runType: row.runType,
    commitSha: row.commitSha,
    refName: row.refName,
    state: row.state,
    attempt: row.attempt,
    cancelRequested: row.cancelRequested,
    lease: toLease(row),
    run: row.run,
    message: row.message,
    heldBackBy: toHeldBackBy(row),
    history: history.slice(-MAX_HISTORY),
    hasEarlierHistory: history.length > MAX_HISTORY,
  };
}

function toLease({ state, leaseHolder, leaseExpiresAt, isExpired }: Row): TriggerStanding["lease"] {
  if (!SLOT_STATES.some((held) => held === state)) return null;
  return {
    holder: leaseHolder ?? "",
    expiresAt: leaseExpiresAt === null ? null : toRfc3339(leaseExpiresAt),
    isExpired,
  };
}

function toHeldBackBy({ state, targetState, earlierTrigger, earlierEvent }: Row): HeldBackBy | null {
  if (state !== "blocked" && state !== "queued") return null;
  if (targetState !== null) return { kind: "target", state: targetState };
  if (earlierTrigger !== null) return { kind: "trigger", ...earlierTrigger };
  return earlierEvent === null ? null : { kind: "event", id: earlierEvent };
}
