/** What the operator's check of a database looks at. */
import type { Database } from "./client.ts";

/** What a database says of itself. */
export interface DatabaseFacts {
  /** `18.4` */
  readonly version: string;
  readonly major: number;
  /** Settings that durability depends on, each with its value. */
  readonly settings: Readonly<Record<string, string>>;
  /** When the last migration was made that ran; null: none did. */
  readonly newestMigrationMs: number | null;
  /** The database's time, in ms since 1970. */
  readonly nowMs: number;
  /** How many sessions each application has. */
  readonly sessions: ReadonlyMap<string, number>;
}

const SETTINGS = ["fsync", "synchronous_commit", "full_page_writes"];

/** Asks in one go but for the migrations, whose table need not be there. */
export async function readDatabaseFacts({ sql }: Database): Promise<DatabaseFacts> {
  const [row] = await sql<
    {
      version: string;
      number: string;
      settings: Record<string, string>;
      hasMigrations: boolean;
      sessions: Record<string, number> | null;
      nowMs: number;
    }[]
  >`
    SELECT current_setting('server_version') AS version, current_setting('server_version_num') AS number,
           (SELECT json_object_agg(name, setting) FROM pg_settings WHERE name = ANY(${SETTINGS})) AS settings,
           to_regclass('sluice.migrations') IS NOT NULL AS has_migrations,
           (SELECT json_object_agg(application_name, count) FROM (
              SELECT application_name, count(*)::int FROM pg_stat_activity
              WHERE datname = current_database() AND application_name LIKE 'sluice-%' GROUP BY 1
            ) AS sessions) AS sessions,
           (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS now_ms`;
  if (row === undefined) throw new Error("the database does not say what it is");
  const [migration] = row.hasMigrations
    ? await sql<{ createdAt: number | null }[]>`SELECT max(created_at) AS created_at FROM sluice.migrations`
    : [];
  return {
    version: row.version,
    major: Math.floor(Number(row.number) / 10_000),
    settings: row.settings,
    newestMigrationMs: migration?.createdAt ?? null,
    nowMs: row.nowMs,
    sessions: new Map(Object.entries(row.sessions ?? {})),
  };
}
