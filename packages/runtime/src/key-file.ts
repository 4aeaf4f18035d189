/** The file that holds the encryption keys of an installation on one machine. */
import { randomUUID } from "node:crypto";
import { link, mkdir, open, readFile, stat, unlink } from "node:fs/promises";
import { dirname } from "node:path";
import { AppError } from "@sluice/domain/app-error";
import { generateKey, parseKeyring } from "./keyring.ts";

/** Read and write for the owner, nothing for others. */
const KEY_FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;
const OTHERS = 0o077;

/**
 * The keys in the file (`id:base64key,…`, the form of SLUICE_ENCRYPTION_KEYS). A file that is not there is made with
 * one random key; of several that start at once all get the same. A crash never leaves half a file.
 * @throws AppError `key_file_exposed` when others may read it, `key_file_invalid`, `key_file_unusable`.
 */
export async function loadOrCreateKeyFile(path: string): Promise<string> {
  try {
    const existing = await readKeyFile(path);
    if (existing !== null) return existing;
    await createKeyFile(path, generateKey());
    const created = await readKeyFile(path);
    if (created !== null) return created;
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    throw unusable(path, "can be neither read nor made", cause);
  }
  throw unusable(path, "was deleted while it was made");
}

async function readKeyFile(path: string): Promise<string | null> {
  try {
    const { mode } = await stat(path);
    if (process.platform !== "win32" && (mode & OTHERS) !== 0) throw exposed(path, mode);
    const keys = (await readFile(path, "utf8")).trim();
    return checkKeys(path, keys);
  } catch (error) {
    if (hasCode(error, "ENOENT")) return null;
    throw error;
  }
}

/** Writes a whole file under another name and links it: the name appears at once, with its content, or not at all. */
async function createKeyFile(path: string, keys: string): Promise<void> {
  const folder = dirname(path);
  await mkdir(folder, { recursive: true, mode: FOLDER_MODE });
  const draft = `${path}.${randomUUID()}`;
  await writeDurably(draft, keys);
  try {
    await link(draft, path);
    await syncFolder(folder);
  } catch (error) {
    // Somebody else was first: theirs counts.
    if (!hasCode(error, "EEXIST")) throw error;
  } finally {
    await unlink(draft);
  }
}

/** On the disk before it is used: a key lost after it has encrypted something cannot be had again. */
async function writeDurably(path: string, keys: string): Promise<void> {
  const file = await open(path, "wx", KEY_FILE_MODE);
  try {
    await file.writeFile(`${keys}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function checkKeys(path: string, keys: string): string {
  try {
    parseKeyring(keys);
    return keys;
  } catch (cause) {
    throw new AppError("key_file_invalid", `the key file ${path} holds no keys in the form id:base64key`, {
      retry: "never",
      cause,
    });
  }
}

function exposed(path: string, mode: number): AppError {
  const octal = (mode & 0o777).toString(8);
  const message = `the key file ${path} may be read by others (mode ${octal}): run chmod 600 ${path}`;
  return new AppError("key_file_exposed", message, { retry: "never" });
}

function unusable(path: string, reason: string, cause?: unknown): AppError {
  return new AppError("key_file_unusable", `the key file ${path} ${reason}`, { retry: "never", cause });
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
