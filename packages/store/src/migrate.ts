import { fileURLToPath } from "node:url";

import { AppError } from "@sluice/domain/app-error";
import { drizzle } from "drizzle-orm/postgres-js";
import { readMigrationFiles } from "drizzle-orm/migrator";
import { migrate } from "drizzle-orm/postgres-js/migrator";
import postgres from "postgres";

/** Every migration beside the sources: one place for both the sources and the compiled code. */
const MIGRATIONS_FOLDER = fileURLToPath(new URL("../src/migrations", import.meta.url));

const REQUIRED_MAJOR = 18;
/** The advisory lock under which migrations run: `SLUI` in ASCII. */
const MIGRATION_LOCK = 0x53_4c_55_49;

/**
 * Brings the database to the newest schema; starters that come together wait for one another.
 * @throws AppError `postgres_too_old`: ids come from `uuidv7()`, which PostgreSQL has since 18.
 */
export async function migrateStore(url: string): Promise<void> {
  const sql = postgres(url, { max: 1, connect_timeout: 10, onnotice: () => undefined });
  try {
    const [version] = await sql<{ number: string }[]>`SELECT current_setting('server_version_num') AS number`;
    const major = Math.floor(Number(version?.number) / 10_000);
    if (major < REQUIRED_MAJOR) {
      throw new AppError(
        "postgres_too_old",
        `PostgreSQL ${String(major)} is too old: Sluice needs ${String(REQUIRED_MAJOR)} or newer`,
        { retry: "never" },
      );
    }
    await sql`SELECT pg_advisory_lock(${MIGRATION_LOCK})`;
    await migrate(drizzle(sql), {
      migrationsFolder: MIGRATIONS_FOLDER,
      migrationsSchema: "sluice",
      migrationsTable: "migrations",
    });
  } finally {
    await sql.end({ timeout: 5 });
  }
}

/** When the newest migration of this release was made, in ms since 1970: by that a database knows it. */
export function newestMigrationMs(): number {
  return Math.max(
    ...readMigrationFiles({ migrationsFolder: MIGRATIONS_FOLDER }).map(({ folderMillis }) => folderMillis),
  );
}
