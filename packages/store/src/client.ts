import { drizzle, type PostgresJsDatabase } from "drizzle-orm/postgres-js";
import postgres from "postgres";

/** Where statements run: the pool, or one transaction of `withTransaction`. */
export interface Database {
  readonly sql: postgres.ISql<Types>;
  readonly orm: PostgresJsDatabase;
}

/** The pool. One per process; whoever opens it closes it. */
export interface Store extends Database {
  readonly sql: postgres.Sql<Types>;
  /** Finishes statements under way within `graceMs`, then closes every connection. */
  close(graceMs?: number): Promise<void>;
}

/** Types whose values differ from the driver's defaults: `bigint` columns hold sequences far below 2^53. */
export type Types = { bigint: number };

export interface StoreOptions {
  /** `postgres://user:password@host:port/database`. */
  readonly url: string;
  readonly maxConnections: number;
  readonly applicationName: string;
  /** No statement of ours runs longer. */
  readonly statementTimeoutMs?: number;
}

const CONNECT_TIMEOUT_S = 5;
const STATEMENT_TIMEOUT_MS = 30_000;

/**
 * Opens a pool; connections are made when first used, so that this succeeds also while Postgres is away.
 *
 * Drizzle sets the client's JSON and time parsers to pass text through (drizzle-orm/postgres-js/driver.js): statements
 * written by hand give JSON as text with a cast, and read times as text.
 */
export function openStore(options: StoreOptions): Store {
  const sql = postgres(options.url, {
    max: options.maxConnections,
    connect_timeout: CONNECT_TIMEOUT_S,
    idle_timeout: 60,
    backoff: (attempt: number) => Math.min(0.1 * 2 ** attempt, 2),
    connection: {
      application_name: options.applicationName,
      statement_timeout: options.statementTimeoutMs ?? STATEMENT_TIMEOUT_MS,
      idle_in_transaction_session_timeout: 60_000,
    },
    transform: { column: { from: postgres.toCamel } },
    types: { bigint: { to: 20, from: [20], parse: Number, serialize: (value: number) => String(value) } },
    onnotice: () => undefined,
  });
  const orm = drizzle(sql, { casing: "snake_case" });
  return {
    sql,
    orm,
    close: (graceMs = 5_000) => sql.end({ timeout: Math.ceil(graceMs / 1_000) }),
  };
}
