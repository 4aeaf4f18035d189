/** A Postgres or a Redis that belongs to one test file: it can be stopped, killed, frozen, and come back as it was. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { startEmbeddedPostgres } from "@sluice/embedded/postgres";
import { startRedis } from "@sluice/embedded/redis";

/** What the embedded servers have in common. */
interface Running {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  stop(): Promise<void>;
}

/** Each method resolves when what it says is so. */
export interface PrivateServer {
  /** The same after a restart. */
  readonly url: string;
  /** As an operator stops it: what it holds is written out. */
  stop(): Promise<void>;
  /** SIGKILL to all of its processes at once: connections are refused from now on. */
  kill(): Promise<void>;
  /** Starts it again, on its port and with its data. */
  start(): Promise<void>;
  /** SIGSTOP: it accepts connections and answers nothing. */
  freeze(): void;
  resume(): void;
  /** Stops it for good and removes its files. */
  dispose(): Promise<void>;
}

/**
 * `fsync` off loses nothing when processes are killed, since what was written is with the kernel. `synchronous_commit`
 * stays on: without it a killed server loses commits that it had acknowledged.
 */
const POSTGRES_SETTINGS = { fsync: "off", full_page_writes: "off", max_connections: "200" };

export function startPrivatePostgres(): Promise<PrivateServer> {
  return startPrivateServer((directory, port) =>
    startEmbeddedPostgres({
      dataDirectory: directory,
      settings: POSTGRES_SETTINGS,
      ...(port === undefined ? {} : { port }),
    }),
  );
}

/** `binary` as `findRedisServer` returns it. Every write is on disk before it is answered. */
export function startPrivateRedis(binary: string): Promise<PrivateServer> {
  return startPrivateServer((directory, port) =>
    startRedis({ directory, binary, ...(port === undefined ? {} : { port }) }),
  );
}

async function startPrivateServer(
  start: (directory: string, port?: number) => Promise<Running>,
): Promise<PrivateServer> {
  const directory = mkdtempSync(join(tmpdir(), "sluice-test-"));
  let server = await start(directory);
  const { url, port } = server;
  const signal = (name: "SIGSTOP" | "SIGCONT" | "SIGKILL"): void => {
    for (const pid of listFamily(server.pid)) signalIfThere(pid, name);
  };
  return {
    url,
    stop: () => server.stop(),
    async kill() {
      signal("SIGKILL");
      // Gives the folder free.
      await server.stop();
    },
    async start() {
      server = await start(directory, port);
    },
    freeze: () => signal("SIGSTOP"),
    resume: () => signal("SIGCONT"),
    async dispose() {
      signal("SIGCONT");
      await server.stop();
      rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** A child of the server may end between the listing and the signal. */
function signalIfThere(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}

/** The process and its children; none when it is gone. */
function listFamily(pid: number): readonly number[] {
  const table = execFileSync("ps", ["-A", "-o", "pid=,ppid="], { encoding: "utf8" });
  const rows = table
    .trim()
    .split("\n")
    .map((line) => line.trim().split(/\s+/).map(Number));
  return rows.flatMap((row) => (row.includes(pid) ? row.slice(0, 1) : []));
}
