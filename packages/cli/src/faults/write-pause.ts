/**
 * Holds a worker's transaction between two of its writes, so that a test can kill it there. Nothing in the worker knows
 * of it: a trigger of the database waits for an advisory lock that the test holds.
 */
import postgres from "postgres";

/** Just after one write of the worker, or within a COMMIT, which the server then completes for a worker that is dead. */
export interface PausePoint {
  readonly table:
    | "deliveries"
    | "delivery_bodies"
    | "repositories"
    | "branches"
    | "pull_requests"
    | "events"
    | "triggers"
    | "trigger_history"
    | "decisions"
    | "commit_pull_requests";
  readonly after: "insert" | "update of decided_at" | "update of state" | "commit";
}

/** A pause that is in force. */
export interface WritePause {
  /** Whether a transaction stands in it. */
  isReached(): Promise<boolean>;
  /** Cuts the connections whose transactions stand in it. @returns how many there were */
  cut(): Promise<number>;
  /** Lets go who stands in it, waits until they are gone or done, and takes the pause away. */
  end(): Promise<void>;
}

const LOCK = 4_711;

/** Puts a pause into the database of `url`; one at a time. */
export async function pauseWrites(url: string, { table, after }: PausePoint): Promise<WritePause> {
  // One connection: the lock belongs to its session.
  const sql = postgres(url, { max: 1, onnotice: () => undefined });
  await sql`SELECT pg_advisory_lock(${LOCK})`;
  await sql.unsafe(`
    CREATE SCHEMA IF NOT EXISTS faults;
    CREATE OR REPLACE FUNCTION faults.pause() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN PERFORM pg_advisory_xact_lock_shared(${String(LOCK)}); RETURN NULL; END $$;
    ${
      after === "commit"
        ? `CREATE CONSTRAINT TRIGGER fault_pause AFTER INSERT ON sluice.${table} DEFERRABLE INITIALLY DEFERRED
           FOR EACH ROW EXECUTE FUNCTION faults.pause()`
        : `CREATE TRIGGER fault_pause AFTER ${after} ON sluice.${table} FOR EACH STATEMENT EXECUTE FUNCTION faults.pause()`
    }`);
  return {
    async isReached() {
      const waiting =
        await sql`SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = ${LOCK} AND NOT granted`;
      return waiting.length > 0;
    },
    async cut() {
      const connections = await sql`
        SELECT pg_terminate_backend(pid) FROM pg_locks
        WHERE locktype = 'advisory' AND objid = ${LOCK} AND NOT granted`;
      return connections.length;
    },
    async end() {
      await sql`SELECT pg_advisory_unlock(${LOCK})`;
      // Waits for the transactions that stood in the pause.
      await sql.unsafe(`DROP TRIGGER fault_pause ON sluice.${table}`);
      await sql.end();
    },
  };
}

/** Makes every write of a worker take a while, so that a kill at a random moment meets it at work. */
export async function slowWrites(url: string): Promise<void> {
  const sql = postgres(url, { max: 1, onnotice: () => undefined });
  await sql.unsafe(`
    CREATE SCHEMA IF NOT EXISTS faults;
    CREATE FUNCTION faults.slow() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN PERFORM pg_sleep(0.03 * random()); RETURN NULL; END $$`);
  for (const table of ["deliveries", "delivery_bodies", "branches", "events", "triggers", "decisions"]) {
    await sql.unsafe(`
      CREATE TRIGGER fault_slow AFTER INSERT OR UPDATE ON sluice.${table}
      FOR EACH STATEMENT EXECUTE FUNCTION faults.slow()`);
  }
  await sql.end();
}
