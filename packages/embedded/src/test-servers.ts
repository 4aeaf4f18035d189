/** Vitest's global setup of the integration tests: one Postgres and one Redis for the whole run. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import type { TestProject } from "vitest/node";
import { endProcessNow } from "./end-process.ts";
import { ensureRedis } from "./ensure-redis.ts";
import { startEmbeddedPostgres } from "./postgres.ts";
import { inspectPostmaster } from "./postmaster.ts";
import { identifyProcess, isProcessAlive, parseProcessIdentity } from "./process-identity.ts";
import { stopOrphanedRedis } from "./redis.ts";

/** Nothing that a test writes needs to survive. */
const THROWAWAY = { fsync: "off", synchronous_commit: "off", full_page_writes: "off" };
/** Also of the folders that this package's own tests make. */
const FOLDER_PREFIX = "sluice-test-";
/** A younger folder may be one that another run is about to use. */
const MIN_ABANDONED_MS = 10 * 60_000;

/** What ends with the run: `stop` in order, `stopNow` when the process is told to go and nothing can be awaited. */
interface Resource {
  readonly stop: () => Promise<void>;
  readonly stopNow: () => void;
}

const resources: Resource[] = [];

/** Starts the servers and provides their URLs. @throws Error when there is no Redis, and CI is set. */
export async function setup(project: TestProject): Promise<void> {
  await removeAbandonedFolders();
  // Vitest exits within a millisecond of Ctrl-C, without a teardown.
  process.once("exit", stopAllNow);
  // Settled, not raced: what is still starting must be there to be stopped.
  const outcomes = await Promise.allSettled([providePostgres(project), provideRedis(project)]);
  const failure = outcomes.find((outcome) => outcome.status === "rejected");
  if (failure === undefined) return;
  await teardown();
  throw failure.reason;
}

/** Stops what `setup` has started, and removes its files. */
export async function teardown(): Promise<void> {
  for (const resource of resources.splice(0).toReversed()) await resource.stop();
  process.off("exit", stopAllNow);
}

async function providePostgres(project: TestProject): Promise<void> {
  const dataDirectory = createFolder();
  const postgres = await startEmbeddedPostgres({
    dataDirectory,
    settings: { ...THROWAWAY, max_connections: "300" },
  });
  const identity = identifyProcess(postgres.pid);
  // SIGQUIT is PostgreSQL's "immediate" shutdown.
  resources.push({ stop: postgres.stop, stopNow: () => endProcessNow(identity, "SIGQUIT") });
  project.provide("postgresUrl", postgres.url);
}

async function provideRedis(project: TestProject): Promise<void> {
  const { REDIS_URL: given, CI: ci } = process.env;
  if (given !== undefined && given !== "") return project.provide("redisUrl", given);
  const say = (line: string): void => project.vitest.logger.log(line);
  const redis = await ensureRedis(createFolder(), say);
  if (!redis.unavailable) {
    resources.push(redis);
    return project.provide("redisUrl", redis.url);
  }
  if (ci === "true") throw new Error(`the tests need a Redis, and CI skips none: ${redis.remedy}`);
  project.provide("redisUrl", null);
  const skipped = await listRedisSuites(project);
  say(
    `No Redis on this machine. These suites are skipped: ${skipped.join(", ")}. To run them: ${redis.remedy}`,
  );
}

/** A folder that goes with the run. Resources end in reverse order, so it goes after the server that works in it. */
function createFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), FOLDER_PREFIX));
  const remove = (): void => rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  resources.push({ stop: async () => remove(), stopNow: remove });
  return folder;
}

function stopAllNow(): void {
  for (const resource of resources.splice(0).toReversed()) resource.stopNow();
}

/** A run that was killed (SIGKILL, out of memory) leaves its servers running. A later run of the same user puts them away. */
async function removeAbandonedFolders(): Promise<void> {
  for (const name of readdirSync(tmpdir()).filter((entry) => entry.startsWith(FOLDER_PREFIX))) {
    const folder = join(tmpdir(), name);
    const found = statSync(folder, { throwIfNoEntry: false });
    if (found === undefined || !isOurs(found.uid)) continue;
    if (Date.now() - found.mtimeMs < MIN_ABANDONED_MS) continue;
    const owner = parseProcessIdentity(await readFile(join(folder, "owner.lock"), "utf8").catch(() => ""));
    if (owner !== null && isProcessAlive(owner)) continue;
    const { state, pid } = await inspectPostmaster(join(folder, "cluster"));
    if (state === "unknown") continue;
    if (state === "running") endProcessNow(identifyProcess(pid), "SIGQUIT");
    await stopOrphanedRedis(folder);
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Another user's cannot be looked into, nor removed. Root can, and has made some of them another user's. */
function isOurs(uid: number): boolean {
  const own = process.getuid?.() ?? uid;
  return own === 0 || own === uid;
}

async function listRedisSuites(project: TestProject): Promise<readonly string[]> {
  const { testFiles } = await project.globTestFiles();
  return testFiles
    .filter((file) => /redisUrl|findRedisServer/.test(readFileSync(file, "utf8")))
    .map((file) => basename(file));
}
