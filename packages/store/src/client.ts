import postgres from "postgres";

import { createConnectionLeases, type ConnectionLeases } from "./connection-lease.ts";
import { createWatchedSocket } from "./watched-socket.ts";

/** Where statements run: the pool, or one transaction of `withTransaction`. */
export interface Database {
  readonly sql: postgres.ISql<Types>;
}

/** The pool. One per process; whoever opens it closes it. */
export interface Store extends Database {
  readonly sql: postgres.Sql<Types>;
  /** Used by `withTransaction` alone. */
  readonly connections: ConnectionLeases;
  /** Used by `workAlone` alone. Opened when wanted. */
  readonly locks: ConnectionLeases;
  /** Finishes statements under way within `graceMs`, then closes every connection. */
  close(graceMs?: number): Promise<void>;
}

/** Types whose values differ from the driver's defaults; see `TYPES`. */
export type Types = { bigint: number; time: string; json: string };

/**
 * `bigint` columns hold sequences far below 2^53. Times are read as the text that Postgres writes. JSON is given as text,
 * with a cast, and read as a value. Arrays of times and of booleans are given as `text[]` with a cast: the driver takes
 * their type for that of one value.
 */
const TYPES = {
  bigint: { to: 20, from: [20], parse: Number, serialize: (value: number) => String(value) },
  time: {
    to: 1184,
    from: [1082, 1114, 1184],
    parse: (text: string) => text,
    serialize: (text: string) => text,
  },
  json: { to: 3802, from: [], parse: (text: string) => text, serialize: (text: string) => text },
};

export interface StoreOptions {
  /** `postgres://user:password@host:port/database`. */
  readonly url: string;
  readonly maxConnections: number;
  readonly applicationName: string;
  /** No statement of ours runs longer. A connection without an answer for 5 s more is closed. */
  readonly statementTimeoutMs?: number;
  /** No transaction of ours takes longer, waiting for a connection included. Default: `statementTimeoutMs` and 5 s. */
  readonly transactionTimeoutMs?: number;
}

const CONNECT_TIMEOUT_S = 5;
const STATEMENT_TIMEOUT_MS = 30_000;
/** How much later than the server, which should have been first, we give up. */
const ANSWER_GRACE_MS = 5_000;

/** Connections of a process that transactions may use; the others serve single statements. */
const TRANSACTION_SHARE = 0.5;
/** Above the others: what is done under a lock may need transactions, which must not wait for it. */
const LOCK_CONNECTIONS = 2;

/**
 * Opens a pool; connections are made when first used, so that this succeeds also while Postgres is away.
 */
export function openStore(options: StoreOptions): Store {
  const forTransactions = Math.max(1, Math.floor(options.maxConnections * TRANSACTION_SHARE));
  const sql = openClient(options, { max: Math.max(1, options.maxConnections - forTransactions) });
  const { statementTimeoutMs = STATEMENT_TIMEOUT_MS } = options;
  const openLeases = (size: number): ConnectionLeases =>
    createConnectionLeases({
      size,
      timeoutMs: options.transactionTimeoutMs ?? statementTimeoutMs + ANSWER_GRACE_MS,
      idleMs: statementTimeoutMs,
      open: (onclose) => {
        // When it is idle or old, the leases close it.
        return openClient(options, { max: 1, onclose, idle_timeout: 0, max_lifetime: 0 });
      },
    });
  const connections = openLeases(forTransactions);
  const locks = openLeases(LOCK_CONNECTIONS);
  return {
    sql,
    connections,
    locks,
    async close(graceMs = 5_000) {
      const timeoutS = Math.ceil(graceMs / 1_000);
      await Promise.all([sql.end({ timeout: timeoutS }), connections.close(timeoutS), locks.close(timeoutS)]);
    },
  };
}

function openClient(
  options: StoreOptions,
  own: {
    readonly max: number;
    readonly onclose?: () => void;
    readonly idle_timeout?: number;
    readonly max_lifetime?: number;
  },
): postgres.Sql<Types> {
  const { statementTimeoutMs = STATEMENT_TIMEOUT_MS } = options;
  // An option that the driver's types do not have. Of several hosts the driver itself has to choose.
  const watched = hasManyHosts(options.url)
    ? {}
    : { socket: createWatchedSocket(statementTimeoutMs + ANSWER_GRACE_MS) };
  return postgres(options.url, {
    ...watched,
    connect_timeout: CONNECT_TIMEOUT_S,
    // Below the time after which a silent connection is closed.
    idle_timeout: statementTimeoutMs / 1_000,
    backoff: (attempt: number) => Math.min(0.1 * 2 ** attempt, 2),
    connection: {
      application_name: options.applicationName,
      statement_timeout: statementTimeoutMs,
      idle_in_transaction_session_timeout: 60_000,
    },
    transform: { column: { from: postgres.toCamel } },
    types: TYPES,
    onnotice: () => undefined,
    ...own,
  });
}

function hasManyHosts(url: string): boolean {
  return /^\w+:\/\/(?:[^/?]*@)?[^/?@]*,/.test(url);
}
