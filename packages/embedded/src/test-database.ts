/** A database of its own for each test file, cloned from a template that was migrated once. */
import { randomUUID } from "node:crypto";
import postgres from "postgres";
import type { TestServers } from "./test-context.ts";
import { listLeaks } from "./test-leaks.ts";

/** What a test database is made from. */
export interface TestDatabaseOptions {
  /** A superuser's URL, such as `inject("postgresUrl")`. */
  readonly serverUrl: TestServers["postgresUrl"];
  /** Brings an empty database to the state that every test starts from. Must close its connections. */
  readonly migrate: (url: string) => Promise<void>;
  /** Names the template: a hash of the migrations, so that two states of them never share one. */
  readonly key: string;
}

/** A database that belongs to the caller. */
export interface TestDatabase {
  readonly url: string;
  /** Removes it, and cuts connections that are still open. @throws when a test has written a secret to it in plain text. */
  drop(): Promise<void>;
}

/** Clones the template, which the first caller on this server migrates while the others wait. */
export async function createTestDatabase(options: TestDatabaseOptions): Promise<TestDatabase> {
  const sql = postgres(options.serverUrl, { max: 1, onnotice: () => undefined });
  const template = `template_${options.key.replaceAll(/[^a-z0-9]/gi, "").slice(0, 40)}`;
  const name = `test_${randomUUID().replaceAll("-", "")}`;
  try {
    // Of the session, so it goes with the connection. CREATE DATABASE allows no transaction around it.
    await sql`select pg_advisory_lock(hashtext(${template}))`;
    if (!(await isMigrated(sql, template))) await migrateTemplate(sql, template, options);
    await sql`create database ${sql(name)} template ${sql(template)}`;
  } finally {
    await sql.end();
  }
  return { url: withDatabase(options.serverUrl, name), drop: () => dropDatabase(options.serverUrl, name) };
}

/** Only a complete template carries the mark; one whose migration broke off is made anew. */
async function isMigrated(sql: postgres.Sql, template: string): Promise<boolean> {
  const found = await sql`select 1 from pg_database where datname = ${template} and datistemplate`;
  return found.length > 0;
}

async function migrateTemplate(
  sql: postgres.Sql,
  template: string,
  options: TestDatabaseOptions,
): Promise<void> {
  await sql`drop database if exists ${sql(template)} with (force)`;
  await sql`create database ${sql(template)}`;
  await options.migrate(withDatabase(options.serverUrl, template));
  await sql`alter database ${sql(template)} is_template true`;
}

async function dropDatabase(serverUrl: string, name: string): Promise<void> {
  const leaks = await listLeaks(withDatabase(serverUrl, name));
  const sql = postgres(serverUrl, { max: 1, onnotice: () => undefined });
  try {
    await sql`drop database if exists ${sql(name)} with (force)`;
  } finally {
    await sql.end();
  }
  if (leaks.length > 0) throw new Error(`a secret of the tests can be read in ${leaks.join(", ")}`);
}

function withDatabase(serverUrl: string, name: string): string {
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return url.href;
}
