/** BullMQ on PostgreSQL, without any Redis. */
import {
  createPostgresBackend,
  LATEST_SCHEMA_VERSION,
  Queue,
  runMigrations,
  Worker,
  type BackendFactory,
  type PostgresConnectionOptions,
  type PostgresQueueBackend,
} from "bullmq";
import { Client, Pool } from "pg";
import type { OpenQueue, QueueBackend } from "./backend.ts";
import { EVENT_STREAM } from "./event-stream.ts";
import { endsWithin, withDeadline } from "./deadline.ts";
import { pacedBackend } from "./paced-backend.ts";
import {
  createPostgresSockets,
  postgresConfiguration,
  type PostgresManner,
  type PostgresSockets,
} from "./postgres-connection.ts";
import { createErrorReporter, type QueueLogger } from "./queue-logger.ts";
import { queueUnavailable, toQueueUnavailable } from "./queue-unavailable.ts";
import type { QueueConfiguration } from "./queue-url.ts";

/** A goodbye to a server that has stopped answering is not waited for longer. */
const CLOSE_DEADLINE_MS = 1_000;
const CHECK_DEADLINE_MS = 2_000;
/** PostgreSQL: undefined_table, also when the whole schema is missing. */
const UNDEFINED_TABLE = "42P01";

type PostgresConfiguration = Extract<QueueConfiguration, { kind: "postgres" }>;

interface Options {
  readonly logger: QueueLogger | undefined;
  readonly schema: string;
}

const createPacedPostgresBackend: BackendFactory<PostgresQueueBackend, PostgresConnectionOptions> = (
  ...args
) => pacedBackend(createPostgresBackend(...args));

/** `openQueueBackend` is the way here. */
export function openPostgresBackend(
  { url }: PostgresConfiguration,
  { logger, schema }: Options,
): QueueBackend {
  const owners = new Set<PostgresSockets>();

  function createOwner(manner: PostgresManner) {
    const sockets = createPostgresSockets();
    owners.add(sockets);
    const cut = (): void => {
      owners.delete(sockets);
      sockets.destroyAll();
    };
    return { cut, connection: postgresConfiguration(url, manner, { sockets, schema }) };
  }

  const control = createOwner("fails_fast");
  const pool = new Pool({ ...control.connection, max: 1 });
  pool.on("error", createErrorReporter(logger, { purpose: "control" }));

  return {
    kind: "postgres",
    check: () =>
      withDeadline(assertMigrated(pool, schema), CHECK_DEADLINE_MS, () =>
        queueUnavailable("use the queue's PostgreSQL", "it does not answer"),
      ),
    durabilityWarnings: () => durabilityWarnings(pool),
    async openQueue(name): Promise<OpenQueue> {
      const { cut, connection } = createOwner("fails_fast");
      const queue = new Queue(name, { connection, streams: EVENT_STREAM }, createPostgresBackend);
      queue.on("error", createErrorReporter(logger, { queue: name, purpose: "producer" }));
      const close = async (): Promise<void> => {
        await endsWithin(queue.close(), CLOSE_DEADLINE_MS);
        cut();
      };
      try {
        await queue.waitUntilReady();
      } catch (error) {
        await close();
        throw error;
      }
      // Nothing but `getBackend` and `opts` has another type than a queue's on Redis. `opts` is not used, and of
      // `getBackend` nothing but what both backends have (queue-reader.ts).
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it differs in two members, used as both have them
      return { queue: queue as unknown as Queue, close };
    },
    createWorker(name, processor, options) {
      const { cut, connection } = createOwner("waits");
      const worker = new Worker(
        name,
        processor,
        { ...options, connection, autorun: false },
        createPacedPostgresBackend,
      );
      worker.on("error", createErrorReporter(logger, { queue: name, purpose: "worker" }));
      return { worker, disconnect: cut };
    },
    async close() {
      await endsWithin(pool.end(), CLOSE_DEADLINE_MS);
      for (const sockets of owners) sockets.destroyAll();
      owners.clear();
    },
  };
}

/** See `migrateQueueBackend`. */
export async function migratePostgresBackend({ url }: PostgresConfiguration, schema: string): Promise<void> {
  const client = new Client({ connectionString: url, application_name: "sluice-queue" });
  client.on("error", () => undefined);
  await client.connect();
  try {
    await runMigrations(client, schema);
  } finally {
    await client.end();
  }
}

/** BullMQ itself only looks whether the tables exist: with old ones, the first job would fail and not the start. */
async function assertMigrated(pool: Pool, schema: string): Promise<void> {
  const version = await readVersion(pool, schema);
  if (version >= LATEST_SCHEMA_VERSION) return;
  throw queueUnavailable(
    "use the queue's PostgreSQL",
    `the schema ${schema} has version ${version} and this release needs ${LATEST_SCHEMA_VERSION}: run the migrations`,
  );
}

async function readVersion(pool: Pool, schema: string): Promise<number> {
  try {
    const { rows } = await pool.query<{ version: number | null }>(
      `select max(version)::int as version from "${schema}".migration`,
    );
    return rows[0]?.version ?? 0;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === UNDEFINED_TABLE) return 0;
    throw queueUnavailable("use the queue's PostgreSQL", error);
  }
}

const SETTINGS = [
  { name: "fsync", risk: "a crash of the machine may destroy the database" },
  { name: "synchronous_commit", risk: "a crash of the server loses the jobs of the last moments" },
] as const;

async function durabilityWarnings(pool: Pool): Promise<string[]> {
  const { rows } = await pool
    .query<{ name: string; setting: string }>("select name, setting from pg_settings where name = any($1)", [
      SETTINGS.map(({ name }) => name),
    ])
    .catch((error: unknown) => {
      throw toQueueUnavailable("ask the queue's PostgreSQL for its settings", error);
    });
  const off = new Set(rows.filter(({ setting }) => setting === "off").map(({ name }) => name));
  return SETTINGS.filter(({ name }) => off.has(name)).map(
    ({ name, risk }) =>
      `${name} is off: ${risk}. Run: ALTER SYSTEM SET ${name} = on; SELECT pg_reload_conf();`,
  );
}
