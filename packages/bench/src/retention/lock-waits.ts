/** How long sessions wait for locks that others hold, as Postgres tells while they wait. */
import { setTimeout as sleep } from "node:timers/promises";
import postgres from "postgres";

/** A wait is told at most so much too short; one that is shorter than this may be missed. */
const POLL_MS = 5;

/** What watches until it is asked to stop. */
export interface LockWatch {
  /** ms of the longest wait that was seen; 0 = none was. */
  stop(): Promise<number>;
}

/** Watches the sessions of these names, on a connection of its own. */
export function watchLocks(databaseUrl: string, applicationNames: readonly string[]): LockWatch {
  const sql = postgres(databaseUrl, { max: 1, onnotice: () => undefined });
  const stopping = new AbortController();
  let longestMs = 0;
  const watching = watch();
  // It is awaited when it is asked to stop.
  watching.catch(() => undefined);

  async function watch(): Promise<void> {
    while (!stopping.signal.aborted) {
      const [row] = await sql<{ waitMs: number }[]>`
        SELECT coalesce(max(extract(epoch FROM clock_timestamp() - waitstart)), 0)::float8 * 1000 AS "waitMs"
        FROM pg_locks JOIN pg_stat_activity USING (pid)
        WHERE NOT granted AND datname = current_database() AND application_name = ANY(${[...applicationNames]}::text[])`;
      longestMs = Math.max(longestMs, row?.waitMs ?? 0);
      await sleep(POLL_MS);
    }
  }

  return {
    async stop() {
      stopping.abort();
      try {
        await watching;
      } finally {
        await sql.end();
      }
      return longestMs;
    },
  };
}
