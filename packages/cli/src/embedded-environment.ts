/** Sluice with a PostgreSQL of its own, for one machine: `up --embedded` and the demonstration. */
import { randomBytes } from "node:crypto";
import { link, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { AppError } from "@sluice/domain/app-error";
import { startEmbeddedPostgres } from "@sluice/embedded/postgres";
import type { Environment } from "@sluice/runtime/configuration";
import { loadOrCreateKeyFile } from "@sluice/runtime/key-file";

import { migrate } from "./migrate.ts";
import { removeRunning, writeRunning } from "./running-environment.ts";

/** What to start. */
export interface EmbeddedEnvironmentOptions {
  /** Absolute; made when it is not there. Deleting it deletes everything. */
  readonly dataDirectory: string;
  /** What is set here is not made; DATABASE_URL alone is always the embedded one. */
  readonly environment: Environment;
  /** Told, in one line each, what takes time. */
  readonly onProgress: (line: string) => void;
}

/** A running database, migrated, with what a service needs to use it. */
export interface EmbeddedEnvironment {
  /** The given environment, with DATABASE_URL, SLUICE_QUEUE_URL, SLUICE_ENCRYPTION_KEYS and SLUICE_BOOTSTRAP_KEY. */
  readonly environment: Environment;
  /** Tells other commands in the same folder where the API is. */
  announceApi(url: string): Promise<void>;
  /** Stops the database. Close everything that uses it first. Safe to call twice. */
  stop(): Promise<void>;
}

/** Beside the database, each for the owner alone. */
const KEY_FILE = "encryption-keys";
const BOOTSTRAP_KEY_FILE = "bootstrap-key";
const BOOTSTRAP_KEY_BYTES = 32;
const OWNER_ONLY = 0o600;
const OTHERS = 0o077;

/**
 * Starts the database, makes the keys on the first occasion, and migrates.
 * @throws EmbeddedPostgresError, AppError `key_file_exposed` and the like.
 */
export async function startEmbeddedEnvironment(
  options: EmbeddedEnvironmentOptions,
): Promise<EmbeddedEnvironment> {
  const { dataDirectory, onProgress } = options;
  const postgres = await startEmbeddedPostgres({
    dataDirectory: join(dataDirectory, "postgres"),
    onProgress,
  });
  const stop = async (): Promise<void> => {
    await removeRunning(dataDirectory);
    await postgres.stop();
  };
  try {
    const made = await makeVariables(options, postgres.url);
    const environment: Environment = {
      ...options.environment,
      // A variable and its file together would be refused.
      DATABASE_URL_FILE: undefined,
      ...made,
    };
    await migrate(environment, onProgress);
    await writeRunning(dataDirectory, made);
    const announceApi = (url: string) => writeRunning(dataDirectory, { ...made, SLUICE_URL: url });
    return { environment, announceApi, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function makeVariables(
  { dataDirectory, environment }: EmbeddedEnvironmentOptions,
  databaseUrl: string,
): Promise<Record<string, string>> {
  const isSet = (name: string) => [name, `${name}_FILE`].some((each) => (environment[each] ?? "") !== "");
  const made: Record<string, string> = { DATABASE_URL: databaseUrl };
  if (!isSet("SLUICE_QUEUE_URL")) made["SLUICE_QUEUE_URL"] = databaseUrl;
  if (!isSet("SLUICE_ENCRYPTION_KEYS")) {
    made["SLUICE_ENCRYPTION_KEYS"] = await loadOrCreateKeyFile(join(dataDirectory, KEY_FILE));
  }
  if (!isSet("SLUICE_BOOTSTRAP_KEY")) {
    made["SLUICE_BOOTSTRAP_KEY"] = await loadOrCreateSecret(join(dataDirectory, BOOTSTRAP_KEY_FILE));
  }
  return made;
}

/** A random secret that is made once; of several that start at once all get the same. */
async function loadOrCreateSecret(path: string): Promise<string> {
  const draft = `${path}.${randomBytes(6).toString("hex")}`;
  await writeFile(draft, `${randomBytes(BOOTSTRAP_KEY_BYTES).toString("base64url")}\n`, { mode: OWNER_ONLY });
  try {
    // Whoever links first wins; the name never appears without its content.
    await link(draft, path).catch((error: unknown) => {
      if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
    });
  } finally {
    await rm(draft, { force: true });
  }
  const { mode } = await stat(path);
  if (process.platform !== "win32" && (mode & OTHERS) !== 0) {
    const message = `${path} may be read by others: run chmod 600 ${path}`;
    throw new AppError("key_file_exposed", message, { retry: "never" });
  }
  return (await readFile(path, "utf8")).trim();
}
