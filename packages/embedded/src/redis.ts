/** A real Redis (or Valkey) from the machine's own program: found, started on the loopback address, stopped. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { appendFile, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { findFreePort, LOOPBACK } from "./free-port.ts";
import { claimOwnerLock } from "./owner-lock.ts";
import { identifyProcess, isProcessAlive, parseProcessIdentity } from "./process-identity.ts";
import { askRedis, pingRedis } from "./redis-command.ts";
import { lastLine, runCommand, type CommandResult } from "./run-command.ts";

/** How long a server may take to stop by itself, in ms. */
const STOP_TIMEOUT_MS = 5_000;
/** Valkey is the fork of Redis that most Linux distributions ship by now; both speak the same protocol. */
const PROGRAMS = ["redis-server", "valkey-server"];
/** Another process may take a free port before the server does. */
const MAX_PORT_ATTEMPTS = 5;
/** How often a starting server is asked, in ms. It answers LOADING until it has read its append-only file. */
const PING_INTERVAL_MS = 20;

const LOG_FILE = "redis.log";
const PROCESS_FILE = "redis.process.json";
/** A sentinel keeps what it knows in its configuration, and does not start without a file for it. */
const SENTINEL_FILE = "sentinel.conf";

/** A running server. */
export interface RedisServer {
  readonly url: string;
  readonly port: number;
  /** null = it does not speak TLS. */
  readonly tlsPort: number | null;
  /** The server's process. */
  readonly pid: number;
  /** Ends the server after it has written its data, and resolves when it has gone. Safe to call twice. */
  readonly stop: () => Promise<void>;
}

/** A server's certificate, which is its own authority, and its key. */
export interface RedisTls {
  readonly certificateFile: string;
  readonly privateKeyFile: string;
  /** Absent = a free one. */
  readonly port?: number;
}

/** What to start. */
export interface RedisOptions {
  /** Where it keeps its data; made when it does not exist. */
  readonly directory: string;
  /** The program, as `findRedisServer` returns it. */
  readonly binary: string;
  /** Whether every write is on disk before it is answered. Default true; false keeps nothing at all. */
  readonly appendOnly?: boolean;
  /** Absent = a free one. */
  readonly port?: number;
  /** Further directives of redis.conf, such as `{ "cluster-enabled": "yes" }`. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Files in PEM. Absent = it does not speak TLS; with them it does on a port of its own. */
  readonly tls?: RedisTls;
  /** Whether it watches other servers, and keeps no data of its own. Default false. */
  readonly sentinel?: boolean;
}

/** The first of redis-server and valkey-server that this machine can run. null = there is neither. */
export async function findRedisServer(): Promise<string | null> {
  for (const program of PROGRAMS) {
    const result = await runCommand(program, ["--version"]).catch((): CommandResult | null => null);
    if (result?.status === 0) return program;
  }
  return null;
}

/** Whether the program knows a directive of redis.conf: older ones lack some, and may be built without TLS. */
export async function isRedisSetting(binary: string, name: string, value: string): Promise<boolean> {
  // It names the first line that it cannot read: the second one where it knows the first.
  const { stderr } = await runCommand(binary, [`--${name}`, value, "--port", "none"]);
  return stderr.includes("'port ");
}

/**
 * Starts a server and resolves when it answers. It never evicts, because a queue must not lose jobs. A server that a
 * dead process left in the same folder is stopped first: two would write one file.
 * @throws Error in one line, when another living process uses the folder, or when the server ends at once.
 */
export async function startRedis(options: RedisOptions): Promise<RedisServer> {
  const directory = resolve(options.directory);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const claim = await claimOwnerLock(join(directory, "owner.lock"));
  if (!claim.claimed) {
    throw new Error(`process ${claim.pid} already uses ${directory}: stop it, or choose another folder`);
  }
  try {
    await stopOrphanedRedis(directory);
    const server = await startOnPort({ ...options, directory });
    let stopped: Promise<void> | undefined;
    const stop = (): Promise<void> => (stopped ??= stopAndRelease(server, claim.release));
    const { port, tlsPort, pid } = server;
    return { url: `redis://${LOOPBACK}:${port}`, port, tlsPort, pid, stop };
  } catch (error) {
    await claim.release();
    throw error;
  }
}

/** Stops the server that a process which died has left running in `directory`, if there is one. */
export async function stopOrphanedRedis(directory: string): Promise<void> {
  const saved = await readFile(join(directory, PROCESS_FILE), "utf8").catch(() => "");
  const orphan = parseProcessIdentity(saved);
  // A number alone may belong to another program by now: without a start time to compare, nothing is stopped.
  if (orphan === null || orphan.startTime === null || !isProcessAlive(orphan)) return;
  process.kill(orphan.pid, "SIGTERM");
  while (isProcessAlive(orphan)) await sleep(PING_INTERVAL_MS);
}

interface ServerProcess {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly port: number;
  readonly tlsPort: number | null;
}

async function startOnPort(options: RedisOptions): Promise<ServerProcess> {
  for (let attempt = 1; ; attempt++) {
    const port = options.port ?? (await findFreePort());
    const child = await spawnServer(options, port);
    if (await waitUntilItAnswers(child)) return child;
    const said = await readFile(join(options.directory, LOG_FILE), "utf8").catch(() => "");
    const mayRetry = options.port === undefined && attempt < MAX_PORT_ATTEMPTS && said.includes("in use");
    if (!mayRetry) {
      throw new Error(`${options.binary} did not start on port ${port}: ${lastLine(said)}`);
    }
  }
}

/** `detached`: in a session of its own, so that Ctrl-C in the terminal reaches us and not the server. */
async function spawnServer(
  { directory, binary, appendOnly = true, settings = {}, tls, sentinel = false }: RedisOptions,
  port: number,
): Promise<ServerProcess> {
  await rm(join(directory, LOG_FILE), { force: true });
  const place = ["--bind", LOOPBACK, "--port", String(port), "--dir", directory, "--logfile", LOG_FILE];
  const tlsPort = tls === undefined ? null : (tls.port ?? (await findFreePort()));
  const all = { ...(tls === undefined ? {} : tlsSettings(tls, String(tlsPort))), ...settings };
  const further = Object.entries(all).flatMap(([name, value]) => [`--${name}`, value]);
  const kind = sentinel ? await sentinelArguments(directory) : dataArguments(appendOnly);
  const args = [...kind, ...place, ...further];
  const child = spawn(binary, args, { cwd: directory, detached: true, stdio: "ignore" });
  await once(child, "spawn");
  // Like the embedded Postgres: only `stop` ends it, and it does not keep this process from ending.
  child.unref();
  const identity = identifyProcess(child.pid ?? 0);
  await writeFile(join(directory, PROCESS_FILE), JSON.stringify(identity), { mode: 0o600 });
  return { child, pid: identity.pid, port, tlsPort };
}

function tlsSettings({ certificateFile, privateKeyFile }: RedisTls, port: string): Record<string, string> {
  const files = { "tls-cert-file": certificateFile, "tls-key-file": privateKeyFile };
  return { "tls-port": port, ...files, "tls-ca-cert-file": certificateFile, "tls-auth-clients": "no" };
}

function dataArguments(appendOnly: boolean): string[] {
  const durability = appendOnly ? ["--appendonly", "yes", "--appendfsync", "always"] : ["--appendonly", "no"];
  return [...durability, "--save", "", "--maxmemory-policy", "noeviction"];
}

async function sentinelArguments(directory: string): Promise<string[]> {
  const file = join(directory, SENTINEL_FILE);
  await appendFile(file, "", { mode: 0o600 });
  return [file, "--sentinel"];
}

/** false = the server ended instead. */
async function waitUntilItAnswers({ child, pid, port }: ServerProcess): Promise<boolean> {
  while (isRunning(child)) {
    // Another server may have taken the port first, and answer in its place: compare the process.
    if ((await pingRedis(port)) && (await askRedis(port, "INFO server")).includes(`process_id:${pid}\r\n`))
      return true;
    await sleep(PING_INTERVAL_MS);
  }
  return false;
}

async function stopAndRelease({ child }: ServerProcess, release: () => Promise<void>): Promise<void> {
  if (isRunning(child)) {
    child.ref();
    const exited = once(child, "exit");
    child.kill("SIGTERM");
    // Redis refuses to end while it writes its first append-only file ("Writing initial AOF, can't exit").
    const force = setTimeout(() => child.kill("SIGKILL"), STOP_TIMEOUT_MS);
    await exited;
    clearTimeout(force);
  }
  await release();
}

function isRunning(child: ChildProcess): boolean {
  return child.exitCode === null && child.signalCode === null;
}
