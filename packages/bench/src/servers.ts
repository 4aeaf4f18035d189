/** The servers that everything under test uses, set as in production: what they have accepted survives a crash. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { randomUUID } from "node:crypto";
import { startEmbeddedPostgres } from "@sluice/embedded/postgres";
import { findRedisServer, startRedis } from "@sluice/embedded/redis";
import { migrateStore } from "@sluice/store/migrate";
import { Redis } from "ioredis";
import postgres from "postgres";
import { isInMemory, type Machine } from "./machine.ts";
import type { Resources } from "./resources.ts";

/** Beside the defaults fsync = on and synchronous_commit = on. The memory is that of a small production server. */
export const POSTGRES_SETTINGS = {
  shared_buffers: "512MB",
  max_wal_size: "4GB",
  max_connections: "200",
  // Tells when each row was committed, without asking while it is measured.
  track_commit_timestamp: "on",
} as const;
/** Of every Redis that is started here, by `startRedis`. */
export const REDIS_SETTINGS = {
  appendonly: "yes",
  appendfsync: "always",
  save: "",
  "maxmemory-policy": "noeviction",
} as const;

export interface Servers {
  readonly versions: Pick<Machine, "postgres" | "redis">;
  readonly postgresPid: number;
  /** A migrated database of its own. */
  createDatabase(resources: Resources): Promise<string>;
  /** A Redis of its own, with empty files. */
  startRedis(resources: Resources): Promise<{ readonly url: string; readonly pid: number }>;
}

/** @throws Error in one line when there is no Redis program, or the folder is in memory. */
export async function startServers(directory: string | null, resources: Resources): Promise<Servers> {
  const parent = directory ?? tmpdir();
  if (await isInMemory(parent)) {
    throw new Error(
      `${parent} is in memory, where nothing is durable: choose a folder on a disk (--directory)`,
    );
  }
  const binary = await findRedisServer();
  if (binary === null) throw new Error("no redis-server or valkey-server on this machine: install one");
  const server = await startEmbeddedPostgres({
    dataDirectory: await createFolder(parent, resources),
    settings: POSTGRES_SETTINGS,
  });
  resources.defer(server.stop);

  return {
    versions: await readVersions(server.url, () => startOwnRedis(binary, parent, resources)),
    createDatabase: (own) => createDatabase(server.url, own),
    postgresPid: server.pid,
    startRedis: (own) => startOwnRedis(binary, parent, own),
  };
}

async function createFolder(parent: string, resources: Resources): Promise<string> {
  const folder = await mkdtemp(join(parent, "sluice-bench-"));
  resources.defer(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
  return folder;
}

async function startOwnRedis(binary: string, parent: string, resources: Resources) {
  const redis = await startRedis({ directory: await createFolder(parent, resources), binary });
  resources.defer(redis.stop);
  return redis;
}

async function createDatabase(serverUrl: string, resources: Resources): Promise<string> {
  const name = `bench_${randomUUID().replaceAll("-", "")}`;
  const sql = postgres(serverUrl, { max: 1, onnotice: () => undefined });
  resources.defer(async () => {
    await sql`DROP DATABASE IF EXISTS ${sql(name)} WITH (FORCE)`;
    await sql.end();
  });
  await sql`CREATE DATABASE ${sql(name)}`;
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  await migrateStore(url.href);
  // What the run before has left to write is not written in this one.
  await sql`CHECKPOINT`;
  return url.href;
}

async function readVersions(
  postgresUrl: string,
  start: () => Promise<{ readonly url: string; stop(): Promise<void> }>,
): Promise<Servers["versions"]> {
  const sql = postgres(postgresUrl, { max: 1 });
  const [row] = await sql<{ version: string }[]>`SELECT current_setting('server_version') AS version`;
  await sql.end();
  const server = await start();
  const redis = new Redis(server.url);
  const information = await redis.info("server");
  redis.disconnect();
  await server.stop();
  const [, name = "redis", version = "unknown"] = /(redis|valkey)_version:(\S+)/.exec(information) ?? [];
  return { postgres: row?.version ?? "unknown", redis: name === "redis" ? version : `Valkey ${version}` };
}
