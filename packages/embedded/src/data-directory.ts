/** The folder that holds one embedded Postgres: where it is by default, what lies in it, and whether we may use it. */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { access, chmod, chown, constants, mkdir, readFile, readdir, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { EmbeddedPostgresError } from "./embedded-postgres-error.ts";
import { isErrorCode } from "./error-code.ts";
import { POSTGRES_MAJOR, SYSTEM_DIRECTORY } from "./postgres-binaries.ts";
import { canEnter, chooseServerUser, type ServerUser } from "./server-user.ts";

/** Paths inside a data folder. Everything is in the one folder, so that deleting it deletes the server. */
export interface DataDirectory {
  readonly root: string;
  /** PostgreSQL's own folder. */
  readonly cluster: string;
  /** Where initdb works; renamed to `cluster` when it is complete, so a cluster is whole or absent. */
  readonly unfinishedCluster: string;
  readonly password: string;
  readonly lock: string;
  readonly log: string;
  /** Whether there is a cluster already. */
  readonly hasCluster: boolean;
}

const OWN_NAMES = ["cluster", "cluster.new", "password", "owner.lock", "postgres.log"];

/**
 * The folder for Sluice's own data of one checkout: `<checkout>/.sluice`, or a folder named by a hash of the checkout
 * below /var/lib/sluice when we are root and the server's user cannot enter the checkout (one below /root, say).
 * Give Postgres a folder of its own in it: `join(defaultDataDirectory(checkout), "postgres")`.
 */
export function defaultDataDirectory(checkout: string): string {
  const absolute = resolve(checkout);
  const beside = join(absolute, ".sluice");
  const user = chooseServerUser(join(beside, "postgres"));
  if (user === null) return beside;
  const elsewhere = join(SYSTEM_DIRECTORY, createHash("sha256").update(absolute).digest("hex").slice(0, 16));
  // Data that is there already must not seem lost when the checkout's permissions change.
  return existsSync(elsewhere) || !canEnter(absolute, user) ? elsewhere : beside;
}

/**
 * Makes the folder where it does not exist, and checks that it is ours to use.
 * @throws EmbeddedPostgresError `data_directory_unwritable`, `data_directory_unreachable`, `data_directory_foreign`
 * or `data_directory_other_version`.
 */
export async function openDataDirectory(root: string, user: ServerUser): Promise<DataDirectory> {
  await createDirectory(root, user);
  const names = await readdir(root);
  const hasCluster = names.includes("cluster");
  if (!hasCluster) refuseForeign(root, names);
  const cluster = join(root, "cluster");
  if (hasCluster) await checkVersion(cluster);
  if (user !== null) await handOver(root, user, names.length === 0);
  return {
    root,
    cluster,
    unfinishedCluster: `${cluster}.new`,
    password: join(root, "password"),
    lock: join(root, "owner.lock"),
    log: join(root, "postgres.log"),
    hasCluster,
  };
}

async function createDirectory(root: string, user: ServerUser): Promise<void> {
  try {
    const first = await mkdir(root, { recursive: true, mode: 0o700 });
    // The server's user must get through the folders above, which root has just made.
    if (first !== undefined && user !== null) await openAncestors(first, root);
    await access(root, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (cause) {
    throw new EmbeddedPostgresError(
      "data_directory_unwritable",
      `cannot write to ${root}: give this user the folder (chown), or choose another data folder`,
      { cause },
    );
  }
}

async function openAncestors(first: string, root: string): Promise<void> {
  for (let path = dirname(root); path.length >= first.length; path = dirname(path)) await chmod(path, 0o755);
}

async function handOver(root: string, user: NonNullable<ServerUser>, isEmpty: boolean): Promise<void> {
  const { uid } = await stat(root);
  if (uid !== user.uid && isEmpty) await chown(root, user.uid, user.gid);
  if (canEnter(root, user)) return;
  throw new EmbeddedPostgresError(
    "data_directory_unreachable",
    `PostgreSQL runs as user ${user.uid}, who cannot enter ${root}: choose a data folder that every user can reach, such as one below ${SYSTEM_DIRECTORY}`,
  );
}

function refuseForeign(root: string, names: readonly string[]): void {
  const strange = names.find((name) => !OWN_NAMES.some((own) => name.startsWith(own)));
  if (strange === undefined) return;
  throw new EmbeddedPostgresError(
    "data_directory_foreign",
    `${root} holds files that are not Sluice's (${strange}): choose an empty or a new data folder`,
  );
}

async function checkVersion(cluster: string): Promise<void> {
  const version = await readVersion(cluster);
  if (version === POSTGRES_MAJOR) return;
  throw new EmbeddedPostgresError(
    "data_directory_other_version",
    `${cluster} belongs to PostgreSQL ${version}, this is ${POSTGRES_MAJOR}: move the data with pg_dump, or choose another data folder`,
  );
}

async function readVersion(cluster: string): Promise<string> {
  try {
    return (await readFile(join(cluster, "PG_VERSION"), "utf8")).trim();
  } catch (cause) {
    const isMissing = isErrorCode(cause, "ENOENT");
    throw new EmbeddedPostgresError(
      isMissing ? "data_directory_foreign" : "data_directory_unwritable",
      isMissing
        ? `${cluster} is not a PostgreSQL data folder: choose another data folder`
        : `cannot read ${cluster}: run Sluice as the user who made it, or choose another data folder`,
      { cause },
    );
  }
}
