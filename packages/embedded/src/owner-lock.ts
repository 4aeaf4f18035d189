/** One process of ours per data folder: a lock file that names its owner and outlives nobody. */
import { randomUUID } from "node:crypto";
import { link, readFile, rename, rm, writeFile } from "node:fs/promises";
import { isErrorCode } from "./error-code.ts";
import { identifyProcess, isProcessAlive, parseProcessIdentity } from "./process-identity.ts";

/** Either the lock is ours until `release` (which never takes away another's), or process `pid` has it and lives. */
export type OwnerClaim =
  | { readonly claimed: true; readonly release: () => Promise<void> }
  | { readonly claimed: false; readonly pid: number };

/** Takes the lock file at `path` for this process. A lock whose owner is dead is taken over. */
export async function claimOwnerLock(path: string): Promise<OwnerClaim> {
  const content = JSON.stringify({ ...identifyProcess(process.pid), claim: randomUUID() });
  // Each round takes the lock, meets a living owner, or removes the file of one dead owner.
  for (;;) {
    if (await writeIfAbsent(path, content))
      return { claimed: true, release: () => removeIfSame(path, content) };
    const found = await readFile(path, "utf8").catch(() => null);
    if (found === null) continue;
    const owner = parseProcessIdentity(found);
    if (owner !== null && isProcessAlive(owner)) return { claimed: false, pid: owner.pid };
    await removeIfSame(path, found);
  }
}

/** Written aside and then linked, so that nobody ever reads half a lock. */
async function writeIfAbsent(path: string, content: string): Promise<boolean> {
  const aside = `${path}.${randomUUID()}`;
  await writeFile(aside, content, { flag: "wx", mode: 0o600 });
  try {
    await link(aside, path);
    return true;
  } catch (error) {
    if (isErrorCode(error, "EEXIST")) return false;
    throw error;
  } finally {
    await rm(aside, { force: true });
  }
}

/** Renames before it removes: of two processes that found the same dead owner, one must not remove the other's lock. */
async function removeIfSame(path: string, content: string): Promise<void> {
  const aside = `${path}.${randomUUID()}`;
  try {
    await rename(path, aside);
  } catch (error) {
    if (isErrorCode(error, "ENOENT")) return;
    throw error;
  }
  const current = await readFile(aside, "utf8");
  if (current !== content) await writeIfAbsent(path, current);
  await rm(aside, { force: true });
}
