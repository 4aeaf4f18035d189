/** The server process of a cluster: is it running, is it really ours, start it, stop it. */
import { readFile, realpath } from "node:fs/promises";
import { join } from "node:path";
import { isErrorCode } from "./error-code.ts";
import { SERVER_ENVIRONMENT, type PostgresBinaries } from "./postgres-binaries.ts";
import { isProcessAlive } from "./process-identity.ts";
import { runCommand } from "./run-command.ts";
import type { ServerUser } from "./server-user.ts";

/**
 * What postmaster.pid says. `dead`: no such process. `other`: the number belongs to another program by now, as it may
 * after a power cut. `unknown`: a PostgreSQL that may or may not serve this cluster; nobody should touch it.
 */
export type Postmaster =
  | { readonly state: "absent"; readonly pid: null }
  | { readonly state: "dead" | "other" | "unknown" | "running"; readonly pid: number };

/** How long a start may take, in seconds. Recovery after a crash replays what was written since the last checkpoint. */
const START_TIMEOUT_SECONDS = 600;
/** How long a stop may take before the connections are cut, in seconds. */
const STOP_TIMEOUT_SECONDS = 30;

/** What every command about a server needs. */
export interface ServerControl {
  readonly binaries: PostgresBinaries;
  readonly user: ServerUser;
  readonly cluster: string;
}

/** Looks at postmaster.pid and at the process that it names. */
export async function inspectPostmaster(cluster: string): Promise<Postmaster> {
  const pid = await readPid(cluster);
  if (pid === null) return { state: "absent", pid: null };
  if (!isProcessAlive({ pid, startTime: null })) return { state: "dead", pid };
  return { state: await compareProcess(pid, cluster), pid };
}

/**
 * Starts the server in a session of its own (pg_ctl calls setsid), so that Ctrl-C in the terminal does not reach it.
 * Resolves to null when it accepts connections, else to what pg_ctl said.
 */
export async function startPostmaster(
  control: ServerControl,
  log: string,
  settings: Readonly<Record<string, string>>,
): Promise<string | null> {
  // pg_ctl hands the options to a shell.
  const options = Object.entries(settings).map(([name, value]) => `-c ${quoteForShell(`${name}=${value}`)}`);
  const timing = ["-s", "-w", "-t", String(START_TIMEOUT_SECONDS)];
  return runPgCtl(control, ["start", ...timing, "-D", control.cluster, "-l", log, "-o", options.join(" ")]);
}

/** Stops the server: transactions are rolled back and all is written out. Resolves to null, else to what pg_ctl said. */
export async function stopPostmaster(control: ServerControl): Promise<string | null> {
  const args = ["stop", "-s", "-w", "-t", String(STOP_TIMEOUT_SECONDS), "-D", control.cluster, "-m"];
  const failure = await runPgCtl(control, [...args, "fast"]);
  if (failure === null || (await inspectPostmaster(control.cluster)).state !== "running") return null;
  return runPgCtl(control, [...args, "immediate"]);
}

function quoteForShell(word: string): string {
  return `'${word.replaceAll("'", String.raw`'\''`)}'`;
}

async function runPgCtl({ binaries, user }: ServerControl, args: readonly string[]): Promise<string | null> {
  const { status, stdout, stderr } = await runCommand(binaries.pgCtl, args, {
    user,
    env: SERVER_ENVIRONMENT,
  });
  return status === 0 ? null : `${stdout}${stderr}`.trim();
}

/** The first line of postmaster.pid; a negative number is a single-user session. */
async function readPid(cluster: string): Promise<number | null> {
  try {
    const [first = ""] = (await readFile(join(cluster, "postmaster.pid"), "utf8")).split("\n");
    const pid = Math.abs(Number(first));
    return Number.isSafeInteger(pid) && pid > 0 ? pid : null;
  } catch (error) {
    if (isErrorCode(error, "ENOENT")) return null;
    throw error;
  }
}

async function compareProcess(pid: number, cluster: string): Promise<"other" | "unknown" | "running"> {
  const words = await readCommandLine(pid);
  if (words === null) return "unknown";
  if (!words.some((word) => word.includes("postgres"))) return "other";
  const served = words[words.indexOf("-D") + 1];
  if (served === undefined || !words.includes("-D")) return "unknown";
  const [theirs, ours] = await Promise.all([realpath(served).catch(() => null), realpath(cluster)]);
  if (theirs === null) return "unknown";
  return theirs === ours ? "running" : "other";
}

/** The words of a process's command line. null when the system does not tell. `ps` (macOS) cannot tell spaces apart. */
async function readCommandLine(pid: number): Promise<readonly string[] | null> {
  if (process.platform === "linux") {
    const text = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => null);
    return text === null ? null : text.split("\0");
  }
  const { status, stdout } = await runCommand("ps", ["-ww", "-o", "command=", "-p", String(pid)]);
  return status === 0 ? (/^(.*?) (-D) (.*?)(?: -c .*)?$/.exec(stdout.trim())?.slice(1) ?? [stdout]) : null;
}
