/** Gets a Redis for the tests, by whatever way needs no question: the machine's, a package, or a container. */
import { spawnSync } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { endProcessNow } from "./end-process.ts";
import { LOOPBACK } from "./free-port.ts";
import { identifyProcess } from "./process-identity.ts";
import { pingRedis } from "./redis-command.ts";
import { findRedisServer, startRedis } from "./redis.ts";
import { runCommand, type CommandResult } from "./run-command.ts";

/** A running server, or the one command that makes one possible on this machine. */
export type EnsuredRedis =
  | {
      readonly unavailable: false;
      readonly url: string;
      readonly stop: () => Promise<void>;
      readonly stopNow: () => void;
    }
  | { readonly unavailable: true; readonly remedy: string };

const CONTAINER_IMAGE = "redis:8";
/** How long a fresh container may take to answer, in ms. */
const CONTAINER_START_TIMEOUT_MS = 30_000;
const POLL_INTERVAL_MS = 50;

/** By the package manager that a machine has. */
const REMEDIES = [
  ["apt-get", "sudo apt-get install -y redis-server"],
  ["dnf", "sudo dnf install -y redis"],
  ["apk", "sudo apk add redis"],
  ["pacman", "sudo pacman -S --noconfirm valkey"],
  ["brew", "brew install redis"],
] as const;

/**
 * Starts a Redis that keeps nothing, with its files in `directory`. Installs one where that needs no password and no
 * answer; `onProgress` is told before. `stopNow` is for the exit of the process, where nothing can be awaited.
 */
export async function ensureRedis(
  directory: string,
  onProgress: (line: string) => void,
): Promise<EnsuredRedis> {
  const binary = (await findRedisServer()) ?? (await installRedis(onProgress));
  if (binary !== null) {
    const { url, pid, stop } = await startRedis({ directory, binary, appendOnly: false });
    const identity = identifyProcess(pid);
    return { unavailable: false, url, stop, stopNow: () => endProcessNow(identity, "SIGKILL") };
  }
  return (await startContainer(onProgress)) ?? { unavailable: true, remedy: await findRemedy() };
}

/** null = there is no package manager that installs without asking, or it failed. */
async function installRedis(onProgress: (line: string) => void): Promise<string | null> {
  if (process.getuid?.() === 0 && (await succeeds("apt-get", ["--version"]))) {
    onProgress("Installing redis-server with apt-get");
    // RUNLEVEL=1 makes invoke-rc.d leave the service stopped: we start our own.
    const quietly = ["DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1", "apt-get"];
    await succeeds("env", [...quietly, "update"]);
    await succeeds("env", [...quietly, "install", "-y", "--no-install-recommends", "redis-server"]);
  } else if (process.platform === "darwin" && (await succeeds("brew", ["--version"]))) {
    onProgress("Installing redis with brew");
    await succeeds("brew", ["install", "redis"]);
  }
  return findRedisServer();
}

/** null = Docker is not there, its daemon does not answer, or the container did not start. */
async function startContainer(onProgress: (line: string) => void): Promise<EnsuredRedis | null> {
  if (!(await succeeds("docker", ["info"]))) return null;
  onProgress(`Starting ${CONTAINER_IMAGE} with docker`);
  const settings = ["--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction"];
  const place = ["--rm", "--publish", `${LOOPBACK}::6379`];
  const started = await tryCommand("docker", ["run", "--detach", ...place, CONTAINER_IMAGE, ...settings]);
  if (started?.status !== 0) return null;
  const container = started.stdout.trim();
  const removal = ["rm", "--force", container];
  const published = await tryCommand("docker", ["port", container, "6379/tcp"]);
  const port = Number(/:(\d+)\s*$/m.exec(published?.stdout ?? "")?.[1]);
  if (!(await waitForPing(port))) {
    await tryCommand("docker", removal);
    return null;
  }
  const stop = async (): Promise<void> => void (await tryCommand("docker", removal));
  const stopNow = (): void => void spawnSync("docker", removal, { stdio: "ignore" });
  return { unavailable: false, url: `redis://${LOOPBACK}:${port}`, stop, stopNow };
}

async function waitForPing(port: number): Promise<boolean> {
  const deadline = performance.now() + CONTAINER_START_TIMEOUT_MS;
  while (performance.now() < deadline) {
    if (await pingRedis(port)) return true;
    await sleep(POLL_INTERVAL_MS);
  }
  return false;
}

async function findRemedy(): Promise<string> {
  for (const [manager, remedy] of REMEDIES) {
    if (await succeeds(manager, ["--version"])) return remedy;
  }
  return "start Docker, or set REDIS_URL to a Redis of your own";
}

async function succeeds(program: string, args: readonly string[]): Promise<boolean> {
  return (await tryCommand(program, args))?.status === 0;
}

/** null = there is no such program. */
async function tryCommand(program: string, args: readonly string[]): Promise<CommandResult | null> {
  return runCommand(program, args).catch(() => null);
}
