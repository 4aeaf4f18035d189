/** Connections to PostgreSQL, in the two manners that a queue needs. */
import { Socket } from "node:net";
import type { PostgresPoolConfig } from "bullmq";
import { Client, type ClientConfig } from "pg";

/** Producers answer a sender who waits, workers have time. */
export type PostgresManner = "fails_fast" | "waits";

const FAST_TIMEOUT_MS = 2_000;
const FAST_POOL_SIZE = 4;
const WAITING_CONNECT_TIMEOUT_MS = 10_000;
/** A worker's statements are short: a longer silence is a dead connection, which the kernel notices after minutes. */
const WAITING_QUERY_TIMEOUT_MS = 20_000;
/** Completions of one worker that run at once; more wait for one of these connections. */
const WAITING_POOL_SIZE = 6;

/** The sockets of one owner, so that a server which has stopped answering cannot keep this process alive. */
export interface PostgresSockets {
  /** For `pg`'s configuration. */
  create(): Socket;
  destroyAll(): void;
}

/** See PostgresSockets. */
export function createPostgresSockets(): PostgresSockets {
  const open = new Set<Socket>();
  return {
    create() {
      const socket = new Socket();
      open.add(socket);
      return socket.once("close", () => open.delete(socket));
    },
    destroyAll() {
      for (const socket of open) socket.destroy();
    },
  };
}

/** For `pg` and for BullMQ, which makes a pool and a LISTEN client of it. */
export function postgresConfiguration(
  url: string,
  manner: PostgresManner,
  { sockets, schema }: { sockets: PostgresSockets; schema: string },
): PostgresPoolConfig {
  return {
    ...withoutOptions(url),
    schema,
    // Not in the types of `pg`: the pool's constructor of clients, and a client's of sockets (pg-pool and pg 8.23).
    Client: QuietClient,
    stream: () => sockets.create(),
    application_name: "sluice-queue",
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    ...mannerOptions(manner),
  };
}

function mannerOptions(manner: PostgresManner): PostgresPoolConfig {
  switch (manner) {
    case "fails_fast":
      return {
        max: FAST_POOL_SIZE,
        connectionTimeoutMillis: FAST_TIMEOUT_MS,
        query_timeout: FAST_TIMEOUT_MS,
        statement_timeout: FAST_TIMEOUT_MS,
      };
    case "waits":
      return {
        max: WAITING_POOL_SIZE,
        connectionTimeoutMillis: WAITING_CONNECT_TIMEOUT_MS,
        query_timeout: WAITING_QUERY_TIMEOUT_MS,
      };
  }
}

/**
 * BullMQ finds its tables through `options` (search_path), and `pg` lets those of the URL replace the ones that it is
 * given: they are moved to where BullMQ adds its own.
 */
function withoutOptions(url: string): { connectionString: string; options?: string } {
  const parsed = new URL(url);
  const options = parsed.searchParams.get("options");
  if (options === null) return { connectionString: url };
  parsed.searchParams.delete("options");
  return { connectionString: parsed.href, options };
}

/**
 * A client whose server dies emits an `error` beside rejecting its queries, and `pg` listens only while the client is
 * idle in the pool: without a listener, the event ends the process.
 */
class QuietClient extends Client {
  constructor(config?: ClientConfig | string) {
    super(config);
    this.on("error", () => undefined);
  }
}
