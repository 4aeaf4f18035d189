import type { RunResult, TriggerState } from "@sluice/domain/trigger";
import type postgres from "postgres";

import type { Database } from "./client.ts";
import { toRfc3339 } from "./rfc3339.ts";

/** What became of a report. Only `ok` changed anything, or had done so before. */
export type ReportOutcome =
  | {
      readonly kind: "ok";
      readonly state: TriggerState;
      readonly cancelRequested: boolean;
      /** RFC 3339; null when nothing is held any more, and when a waiting run is held without an end. */
      readonly leaseExpiresAt: string | null;
    }
  | { readonly kind: "not_found" }
  /** The token is not the present holder's. */
  | {
      readonly kind: "not_holder";
      readonly state: TriggerState;
      /** Null: nobody holds it. */
      readonly holder: string | null;
      readonly leaseExpiresAt: string | null;
    }
  /** The token is right, and the state does not allow the report. */
  | { readonly kind: "conflict"; readonly state: TriggerState };

interface Report {
  readonly id: string;
  /** Of the claim (a fencing token). */
  readonly leaseToken: string;
}

/**
 * The run has begun, or goes on after it waited: it is `running`, and the lease is renewed. Accepted also after the lease
 * expired, as long as nobody else was given the trigger; and again, so that a lost answer can be asked for anew.
 */
export function startTrigger(
  db: Database,
  report: Report & { readonly leaseMs: number; readonly runId?: string; readonly runUrl?: string },
): Promise<ReportOutcome> {
  return applyReport(db, report, {
    from: ["claimed", "running", "waiting", "lost"],
    set: db.sql`
      state = 'running', ${renewedLease(db, report.leaseMs)},
      run_id = coalesce(${report.runId ?? null}, run_id), run_url = coalesce(${report.runUrl ?? null}, run_url)`,
    note: lateNote(db),
  });
}

/**
 * The run waits for a person: it is `waiting`, and held without an end, so that its holder may be silent meanwhile.
 * Accepted also after the lease expired, as long as nobody else was given the trigger; and again.
 */
export function waitTrigger(db: Database, report: Report): Promise<ReportOutcome> {
  return applyReport(db, report, {
    from: ["running", "waiting", "lost"],
    set: db.sql`state = 'waiting', lease_expires_at = NULL`,
    note: lateNote(db),
  });
}

/**
 * The holder is alive: the lease lasts at least `leaseMs` from now. Accepted also after it expired, as long as nobody
 * else was given the trigger; a run that is `lost` or `waiting` is `running` again.
 */
export function heartbeat(
  db: Database,
  report: Report & { readonly leaseMs: number },
): Promise<ReportOutcome> {
  return applyReport(db, report, {
    from: ["claimed", "running", "waiting", "lost"],
    set: db.sql`
      state = CASE WHEN triggers.state = 'claimed' THEN 'claimed' ELSE 'running' END,
      ${renewedLease(db, report.leaseMs)}`,
    note: lateNote(db),
  });
}

/** The run has ended. The same report again is accepted; one with another result is a conflict. */
export function finishTrigger(
  db: Database,
  report: Report & { readonly result: RunResult; readonly message?: string },
): Promise<ReportOutcome> {
  return applyReport(db, report, {
    from: ["claimed", "running", "waiting", "lost"],
    set: db.sql`state = ${report.result}, message = ${report.message ?? null}, lease_expires_at = NULL`,
    note: db.sql`${report.message ?? null}`,
    done: report.result,
  });
}

interface Change {
  /** States in which the report is accepted. */
  readonly from: readonly TriggerState[];
  readonly set: postgres.Fragment;
  /** For the line of history, which is written when the state changes. */
  readonly note: postgres.Fragment;
  /** The state that says that this report was accepted before. */
  readonly done?: TriggerState;
}

interface ReportRow {
  readonly isChanged: boolean;
  readonly isHolder: boolean;
  readonly state: TriggerState;
  readonly cancelRequested: boolean;
  readonly holder: string | null;
  readonly leaseExpiresAt: string | null;
}

/** One statement: the lock gives the newest version of the row, which decides, and which the answer tells of. */
async function applyReport(db: Database, report: Report, change: Change): Promise<ReportOutcome> {
  const [row] = await db.sql<ReportRow[]>`
    WITH present AS (
      SELECT id, state, cancel_requested, lease_holder, lease_expires_at,
             coalesce(lease_token = ${report.leaseToken}, false) AS is_holder
      FROM sluice.triggers WHERE id = ${report.id} FOR UPDATE
    ), changed AS (
      UPDATE sluice.triggers SET updated_at = now(), ${change.set}
      FROM present
      WHERE triggers.id = present.id AND present.is_holder AND present.state = ANY(${change.from}::text[])
      RETURNING triggers.id, triggers.state, triggers.lease_expires_at
    ), history AS (
      INSERT INTO sluice.trigger_history (trigger_id, state, actor, note)
      SELECT id, changed.state, present.lease_holder, ${change.note}
      FROM changed JOIN present USING (id) WHERE changed.state <> present.state
    )
    SELECT changed.id IS NOT NULL AS is_changed, present.is_holder, coalesce(changed.state, present.state) AS state,
           present.cancel_requested, present.lease_holder AS holder,
           CASE WHEN changed.id IS NULL THEN present.lease_expires_at ELSE changed.lease_expires_at END AS lease_expires_at
    FROM present LEFT JOIN changed ON true`;
  return row === undefined ? { kind: "not_found" } : toOutcome(row, change);
}

function toOutcome(row: ReportRow, change: Change): ReportOutcome {
  const { state, holder, cancelRequested } = row;
  const leaseExpiresAt = row.leaseExpiresAt === null ? null : toRfc3339(row.leaseExpiresAt);
  if (!row.isHolder) return { kind: "not_holder", state, holder, leaseExpiresAt };
  if (row.isChanged || state === change.done) return { kind: "ok", state, cancelRequested, leaseExpiresAt };
  return { kind: "conflict", state };
}

/** What history says of a report that finds a run again. */
function lateNote(db: Database) {
  return db.sql`CASE WHEN present.state = 'lost' THEN 'its holder reported after the lease had expired' END`;
}

/** Never shortens what was granted before. */
function renewedLease(db: Database, leaseMs: number) {
  return db.sql`lease_expires_at = greatest(triggers.lease_expires_at, now() + ${leaseMs} * interval '1 millisecond')`;
}
