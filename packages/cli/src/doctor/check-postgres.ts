/** The database: what it is, whether it keeps what it was given, its schema, its clock, and who is connected. */
import type { Database } from "@sluice/store/client";
import { type DatabaseFacts, readDatabaseFacts } from "@sluice/store/database-facts";
import { newestMigrationMs } from "@sluice/store/migrate";

import { checkClock } from "./check-clock.ts";
import { fail, type Finding, ok, warn } from "./finding.ts";

const REQUIRED_MAJOR = 18;
const CLOCK_WARN_MS = 2_000;
/** They keep a connection for as long as they run; an API that nobody asks does not. */
const CONNECTED_SERVICES = ["ingress", "worker"] as const;

/** Looks at the database. @throws what the driver throws when it cannot be reached. */
export async function checkPostgres(db: Database): Promise<readonly Finding[]> {
  const before = Date.now();
  const facts = await readDatabaseFacts(db);
  // Half of the way was there, half was back.
  const aheadMs = facts.nowMs - (before + Date.now()) / 2;
  return [
    checkVersion(facts),
    checkSettings(facts),
    checkMigrations(facts),
    checkClock("clock", aheadMs, { of: "the database", warnMs: CLOCK_WARN_MS }),
    ...CONNECTED_SERVICES.map((service) =>
      checkService(service, facts.sessions.get(`sluice-${service}`) ?? 0),
    ),
  ];
}

function checkVersion({ version, major }: DatabaseFacts): Finding {
  if (major >= REQUIRED_MAJOR) return ok("postgres", `PostgreSQL ${version}`);
  const remedy = `upgrade it: ids come from uuidv7(), which PostgreSQL has since ${String(REQUIRED_MAJOR)}`;
  return fail("postgres", `PostgreSQL ${version} is too old`, remedy);
}

/** docs/deployment.md, "What durability depends on". */
function checkSettings({ settings }: DatabaseFacts): Finding {
  const off = Object.entries(settings).flatMap(([name, value]) => (value === "off" ? [name] : []));
  if (off.length === 0) return ok("postgres_settings", "a commit is on the disk before it is answered");
  const commands = off.map((name) => `ALTER SYSTEM SET ${name} = on;`).join(" ");
  return fail(
    "postgres_settings",
    `${off.join(", ")} is off: a crash loses what was recorded last, or the database`,
    `run: ${commands} SELECT pg_reload_conf();`,
  );
}

function checkMigrations({ newestMigrationMs: found }: DatabaseFacts): Finding {
  const wanted = newestMigrationMs();
  if (found === wanted) return ok("migrations", "up to date");
  if (found === null) return fail("migrations", "the database is empty", "run: sluice migrate");
  if (found < wanted) return fail("migrations", "the database is of an older release", "run: sluice migrate");
  return fail(
    "migrations",
    "the database is of a newer release than this command",
    "run the release that migrated it, everywhere",
  );
}

function checkService(service: string, sessions: number): Finding {
  const check = `${service}_alive`;
  if (sessions > 0) return ok(check, `${service} is connected to the database`);
  const remedy = `start it: sluice serve ${service}`;
  return warn(check, `no ${service} is connected to the database`, remedy);
}
