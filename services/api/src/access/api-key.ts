/** How a key of the API looks. */
import { createHash, randomBytes } from "node:crypto";

/** So that scanners of leaked secrets can know one. */
const MARK = "slc_";
const NAME_BYTES = 6;
/** 256 bits: nobody guesses it, so that a fast digest is enough to store. */
const SECRET_BYTES = 32;

/** A key that was just made. */
export interface MadeApiKey {
  /** `slc_<8 characters>_<43 characters>`; shown once, and never stored. */
  readonly key: string;
  /** `slc_<8 characters>`: tells it from others, and opens nothing. */
  readonly prefix: string;
  readonly digest: string;
}

/** A new random key. */
export function makeApiKey(): MadeApiKey {
  const prefix = `${MARK}${randomBytes(NAME_BYTES).toString("base64url")}`;
  const key = `${prefix}_${randomBytes(SECRET_BYTES).toString("base64url")}`;
  return { key, prefix, digest: digestApiKey(key) };
}

/** What is stored of a key: its SHA-256, 64 hex digits. */
export function digestApiKey(key: string): string {
  return createHash("sha256").update(key).digest("hex");
}
