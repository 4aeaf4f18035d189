/** The making of a cluster: initdb, and the password that it starts with. */
import { randomBytes } from "node:crypto";
import { chown, readFile, rename, rm, writeFile } from "node:fs/promises";
import type { DataDirectory } from "./data-directory.ts";
import { EmbeddedPostgresError } from "./embedded-postgres-error.ts";
import { SERVER_ENVIRONMENT } from "./postgres-binaries.ts";
import type { ServerControl } from "./postmaster.ts";
import { lastLine, runCommand } from "./run-command.ts";
import type { ServerUser } from "./server-user.ts";

/** The role, a superuser, and the database that the URL of an embedded server names. */
export const ROLE = "sluice";

/** The password of the server's only role. @throws EmbeddedPostgresError `data_directory_foreign` when it is lost. */
export async function readOrCreatePassword(directory: DataDirectory, user: ServerUser): Promise<string> {
  const saved = await readFile(directory.password, "utf8").catch(() => "");
  if (saved !== "") return saved;
  if (directory.hasCluster) {
    throw new EmbeddedPostgresError(
      "data_directory_foreign",
      `the password file ${directory.password} is missing: restore it, or choose another data folder`,
    );
  }
  const password = randomBytes(24).toString("base64url");
  await writeFile(directory.password, password, { mode: 0o600 });
  // initdb reads it as the server's user.
  if (user !== null) await chown(directory.password, user.uid, user.gid);
  return password;
}

/**
 * Makes the cluster of a data folder; a crash leaves either a whole one or none. `isDurable` false skips the final sync.
 * @throws EmbeddedPostgresError `start_failed`
 *
 * Needs no locale of the machine: the "builtin" provider knows C.UTF-8 (PostgreSQL 17 and later).
 */
export async function createCluster(
  directory: DataDirectory,
  { binaries, user }: ServerControl,
  isDurable: boolean,
): Promise<void> {
  await rm(directory.unfinishedCluster, { recursive: true, force: true });
  const durability = isDurable ? [] : ["--no-sync"];
  const login = [`--pwfile=${directory.password}`, "--auth-host=scram-sha-256", "--auth-local=reject"];
  const locale = ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"];
  const args = ["-D", directory.unfinishedCluster, "-U", ROLE, ...login, ...locale, ...durability];
  const { status, stderr } = await runCommand(binaries.initdb, args, { user, env: SERVER_ENVIRONMENT });
  if (status !== 0)
    throw new EmbeddedPostgresError(
      "start_failed",
      `PostgreSQL cannot create ${directory.cluster}: ${lastLine(stderr)}`,
    );
  await rename(directory.unfinishedCluster, directory.cluster);
}
