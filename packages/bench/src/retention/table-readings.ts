/** What Postgres has read of the hot tables, as it counts itself. */
import { setTimeout as sleep } from "node:timers/promises";
import type postgres from "postgres";

/** The tables that recording and claiming use and that grow with what comes in. */
const HOT_TABLES =
  "deliveries delivery_bodies events decisions triggers trigger_history branches pull_requests commit_pull_requests commit_links";
const POLL_MS = 50;

/** Of one table, since it was made. */
export interface TableReadings {
  readonly table: string;
  /** How often it was begun to be read from its beginning. */
  readonly scans: number;
  /** Rows that were read in this way. */
  readonly rows: number;
  /** Entries of its indexes that were read: many, when an index is read from its beginning to its end instead. */
  readonly entries: number;
}

/** Of each hot table. Whoever reads is to be gone before (`allGone`), else the end of what was read is missing. */
export async function countReadings(sql: postgres.Sql): Promise<readonly TableReadings[]> {
  return sql<TableReadings[]>`
    SELECT relname AS table, seq_scan::float8 AS scans, seq_tup_read::float8 AS rows,
           (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes AS indexes WHERE indexes.relid = tables.relid)::float8 AS entries
    FROM pg_stat_user_tables AS tables
    WHERE schemaname = 'sluice' AND relname = ANY(string_to_array(${HOT_TABLES}, ' '))`;
}

/** What was read between two counts, by table. */
export function readBetween(
  before: readonly TableReadings[],
  after: readonly TableReadings[],
): readonly TableReadings[] {
  const earlier = new Map(before.map((readings) => [readings.table, readings]));
  return after.map(({ table, scans, rows, entries }) => ({
    table,
    scans: scans - (earlier.get(table)?.scans ?? 0),
    rows: rows - (earlier.get(table)?.rows ?? 0),
    entries: entries - (earlier.get(table)?.entries ?? 0),
  }));
}

/**
 * A hash join reads the first row of a table before it knows whether there is anything to join: that is no scan.
 * @throws Error that names the tables that were scanned: the run is void.
 */
export function assertNoScan(readings: readonly TableReadings[]): void {
  const scanned = readings.filter(({ scans, rows }) => rows > scans);
  if (scanned.length === 0) return;
  const list = scanned.map(({ table, scans }) => `${table} (${scans} ×)`).join(", ");
  throw new Error(`the run is void, tables were scanned: ${list}`);
}

/** Resolves when nobody else is connected: Postgres counts what a connection has read for certain when it has gone. */
export async function allGone(sql: postgres.Sql): Promise<void> {
  for (;;) {
    const others = await sql`
      SELECT FROM pg_stat_activity
      WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()`;
    if (others.length === 0) return;
    await sleep(POLL_MS);
  }
}
