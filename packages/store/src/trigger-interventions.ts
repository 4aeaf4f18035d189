/** What people do to triggers, without a lease: each is written down with a name. */
import { SLOT_STATES, type RunResult, type TriggerState } from "@sluice/domain/trigger";

import type { Database } from "./client.ts";
import { toRfc3339 } from "./rfc3339.ts";
import type { ReportOutcome } from "./trigger-reports.ts";

/** What became of it. Only `ok` changed anything, or had done so before. */
export type InterventionOutcome =
  | Extract<ReportOutcome, { readonly kind: "ok" | "not_found" | "conflict" }>
  /** The lease runs: the holder is there, and is to end it itself. */
  | {
      readonly kind: "still_held";
      readonly state: TriggerState;
      readonly holder: string | null;
      /** RFC 3339. */
      readonly leaseExpiresAt: string;
    };

interface InterventionRow {
  readonly state: TriggerState;
  readonly cancelRequested: boolean;
  readonly leaseExpiresAt: string | null;
}

/**
 * Asks that a trigger be canceled. One that nobody can be working on (`blocked`, `queued`, `claimed` with an expired
 * lease) is `canceled` at once; for any other that has not ended the holder is asked to stop, by its next report's
 * answer. The same again changes nothing, nor does it when the trigger is `canceled`; one that ended otherwise is a
 * conflict. A holder that comes late keeps its token: it is told that the trigger is canceled.
 */
export async function cancelTrigger(
  db: Database,
  { id, by }: { readonly id: string; readonly by: string },
): Promise<InterventionOutcome> {
  const [row] = await db.sql<InterventionRow[]>`
    WITH present AS (
      SELECT id, state, cancel_requested, lease_expires_at,
             state IN ('blocked', 'queued') OR (state = 'claimed' AND lease_expires_at <= now()) AS is_idle
      FROM sluice.triggers WHERE id = ${id} FOR UPDATE
    ), changed AS (
      UPDATE sluice.triggers
      SET cancel_requested = true,
          state = CASE WHEN is_idle THEN 'canceled' ELSE triggers.state END,
          message = CASE WHEN is_idle THEN 'Canceled by ' || ${by} || ' before it had started.' ELSE message END,
          lease_expires_at = CASE WHEN NOT is_idle THEN triggers.lease_expires_at END,
          updated_at = now()
      FROM present
      WHERE triggers.id = present.id
        AND (is_idle OR (present.state = ANY(${SLOT_STATES}::text[]) AND NOT present.cancel_requested))
      RETURNING triggers.id, triggers.state, triggers.cancel_requested, triggers.lease_expires_at
    ), history AS (
      INSERT INTO sluice.trigger_history (trigger_id, state, actor, note)
      SELECT id, state, ${by}, CASE WHEN state <> 'canceled' THEN 'asked its holder to stop' END FROM changed
    )
    SELECT coalesce(changed.state, present.state) AS state,
           coalesce(changed.cancel_requested, present.cancel_requested) AS cancel_requested,
           CASE WHEN changed.id IS NULL THEN present.lease_expires_at ELSE changed.lease_expires_at END AS lease_expires_at
    FROM present LEFT JOIN changed ON true`;
  if (row === undefined) return { kind: "not_found" };
  const isAsked = [...SLOT_STATES, "canceled"].includes(row.state);
  return isAsked ? accepted(row) : { kind: "conflict", state: row.state };
}

/**
 * Ends a run in place of its holder: what a person knows of one that is `lost`, or whose holder is gone. Nothing is
 * changed while the lease runs, unless `force`. The same result again is accepted, another one is a conflict; so is one
 * that was never handed out. The holder keeps its token: its late finish is accepted with the same result, and is a
 * conflict with another.
 */
export async function endTrigger(
  db: Database,
  end: {
    readonly id: string;
    readonly result: RunResult;
    readonly by: string;
    readonly message?: string;
    /** Also while the lease runs: its holder may still be at work. */
    readonly force: boolean;
  },
): Promise<InterventionOutcome> {
  const message = end.message ?? null;
  const [row] = await db.sql<
    (InterventionRow & { readonly isLive: boolean; readonly holder: string | null })[]
  >`
    WITH present AS (
      SELECT id, state, cancel_requested, lease_holder, lease_expires_at,
             state = ANY(${SLOT_STATES}::text[]) AS is_held, coalesce(lease_expires_at > now(), false) AS is_live
      FROM sluice.triggers WHERE id = ${end.id} FOR UPDATE
    ), changed AS (
      UPDATE sluice.triggers
      SET state = ${end.result}, message = coalesce(${message}, 'Ended by ' || ${end.by} || '.'),
          lease_expires_at = NULL, updated_at = now()
      FROM present
      WHERE triggers.id = present.id AND is_held AND (${end.force} OR NOT is_live)
      RETURNING triggers.id, triggers.state
    ), history AS (
      INSERT INTO sluice.trigger_history (trigger_id, state, actor, note)
      SELECT id, changed.state, ${end.by},
             nullif(concat_ws(': ', CASE WHEN is_live THEN 'while ' || lease_holder || ' held it' END, ${message}::text), '')
      FROM changed JOIN present USING (id)
    )
    SELECT coalesce(changed.state, present.state) AS state, present.cancel_requested, is_held AND is_live AS is_live,
           present.lease_holder AS holder, CASE WHEN changed.id IS NULL THEN present.lease_expires_at END AS lease_expires_at
    FROM present LEFT JOIN changed ON true`;
  if (row === undefined) return { kind: "not_found" };
  const { state, isLive, holder, leaseExpiresAt } = row;
  if (state === end.result) return accepted(row);
  if (!isLive || leaseExpiresAt === null) return { kind: "conflict", state };
  return { kind: "still_held", state, holder, leaseExpiresAt: toRfc3339(leaseExpiresAt) };
}

function accepted({ state, cancelRequested, leaseExpiresAt }: InterventionRow): InterventionOutcome {
  return {
    kind: "ok",
    state,
    cancelRequested,
    leaseExpiresAt: leaseExpiresAt === null ? null : toRfc3339(leaseExpiresAt),
  };
}
