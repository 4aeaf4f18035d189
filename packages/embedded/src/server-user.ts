/** The user that the Postgres server runs as: PostgreSQL refuses root. */
import { spawnSync } from "node:child_process";
import { statSync } from "node:fs";
import { EmbeddedPostgresError } from "./embedded-postgres-error.ts";
import type { SystemUser } from "./run-command.ts";

/** Who the server runs as. null = as ourselves (we are not root). */
export type ServerUser = SystemUser | null;

/**
 * Picks the server's user. As root: the owner of an existing `clusterDirectory`, else the user `postgres` when the
 * machine has one, else `nobody`. @throws EmbeddedPostgresError `platform_unsupported` when there is none of them.
 */
export function chooseServerUser(clusterDirectory: string): ServerUser {
  if (process.getuid?.() !== 0) return null;
  const owner = statSync(clusterDirectory, { throwIfNoEntry: false });
  if (owner !== undefined && owner.uid !== 0) return { uid: owner.uid, gid: owner.gid };
  const user = findUser("postgres") ?? findUser("nobody");
  if (user !== null) return user;
  throw new EmbeddedPostgresError(
    "platform_unsupported",
    "PostgreSQL does not run as root and this machine has neither a user postgres nor nobody: run Sluice as another user",
  );
}

/** Whether `user` may enter `directory`. Asked of the system itself, because mode bits are not the whole truth (ACLs). */
export function canEnter(directory: string, user: ServerUser): boolean {
  const options = { cwd: "/", stdio: "ignore", ...user } as const;
  return spawnSync("/bin/sh", ["-c", 'cd "$1"', "sh", directory], options).status === 0;
}

function findUser(name: string): SystemUser | null {
  const uid = readId("-u", name);
  const gid = readId("-g", name);
  return uid === null || gid === null ? null : { uid, gid };
}

function readId(flag: string, name: string): number | null {
  const { status, stdout } = spawnSync("id", [flag, name], { encoding: "utf8" });
  return status === 0 ? Number(stdout.trim()) : null;
}
