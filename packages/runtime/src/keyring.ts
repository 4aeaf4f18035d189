/** Encrypts single columns with AES-256-GCM under keys that can be rotated without a stop. */
import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { AppError } from "@sluice/domain/app-error";

const ALGORITHM = "aes-256-gcm";
const VERSION = "v1";
const KEY_BYTES = 32;
/** 96 bits, random: NIST SP 800-38D §8.3 allows 2^32 of them under one key. */
const IV_BYTES = 12;
const TAG_BYTES = 16;
const KEY_ID = /^[A-Za-z0-9_-]{1,32}$/;

/** Encrypts with its first key, decrypts with any. The keys themselves cannot be read from it. */
export interface Keyring {
  /**
   * `v1.<key id>.<iv>.<tag and ciphertext>`, base64url. `context` says what the value is and where it belongs
   * (`integration:<id>:webhook_secret`): moved to another row or column it does not decrypt.
   */
  encrypt(plaintext: string, context: string): string;
  /**
   * The plaintext.
   * @throws AppError `ciphertext_malformed`, `encryption_key_unknown`, or `ciphertext_rejected` when it was changed,
   * belongs to another context, or the key of that id is another one.
   */
  decrypt(ciphertext: string, context: string): string;
  /** Whether another key than the first one encrypted it. @throws AppError `ciphertext_malformed`. */
  needsRotation(ciphertext: string): boolean;
}

/**
 * A keyring from `id:base64key,id:base64key`. The first key encrypts, all decrypt.
 * @throws AppError `keyring_invalid`, which names the entry by its place and id, never by its key.
 */
export function parseKeyring(text: string): Keyring {
  const keys = new Map<string, Buffer>();
  for (const [index, entry] of text.split(",").entries()) {
    const { id, key } = parseEntry(entry.trim(), index + 1);
    if (keys.has(id)) throw invalid(`the key id "${id}" is there twice`);
    keys.set(id, key);
  }
  return createKeyring(keys);
}

/** A new keyring of one random key, `id:base64key`: what `parseKeyring` takes. */
export function generateKey(): string {
  return `k${randomBytes(4).toString("hex")}:${randomBytes(KEY_BYTES).toString("base64")}`;
}

function parseEntry(entry: string, place: number): { id: string; key: Buffer } {
  const [id = "", encoded, ...rest] = entry.split(":");
  // What is no id may be a key in the wrong place: it is not repeated.
  if (encoded === undefined || rest.length > 0)
    throw invalid(`entry ${place} is not of the form id:base64key`);
  if (!KEY_ID.test(id)) throw invalid(`entry ${place} has an id that is not 1 to 32 of A-Z a-z 0-9 _ -`);
  if (!/^[A-Za-z0-9+/_-]*={0,2}$/.test(encoded)) throw invalid(`the key of entry ${place} is not base64`);
  const key = Buffer.from(encoded, "base64");
  if (key.length !== KEY_BYTES) {
    throw invalid(`the key of entry ${place} has ${key.length} bytes and must have ${KEY_BYTES}`);
  }
  return { id, key };
}

function createKeyring(keys: ReadonlyMap<string, Buffer>): Keyring {
  const [newest] = keys;
  if (newest === undefined) throw invalid("it has no key");
  const [newestId, newestKey] = newest;
  return {
    encrypt: (plaintext, context) => seal({ id: newestId, key: newestKey, plaintext, context }),
    decrypt: (ciphertext, context) => {
      const envelope = parseEnvelope(ciphertext);
      const key = keys.get(envelope.id);
      if (key === undefined) throw unknownKey(envelope.id);
      return open(envelope, key, context);
    },
    needsRotation: (ciphertext) => parseEnvelope(ciphertext).id !== newestId,
  };
}

function seal(input: { id: string; key: Buffer; plaintext: string; context: string }): string {
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv(ALGORITHM, input.key, iv, { authTagLength: TAG_BYTES });
  cipher.setAAD(Buffer.from(input.context, "utf8"));
  const encrypted = Buffer.concat([cipher.update(input.plaintext, "utf8"), cipher.final()]);
  const sealed = Buffer.concat([cipher.getAuthTag(), encrypted]);
  return [VERSION, input.id, iv.toString("base64url"), sealed.toString("base64url")].join(".");
}

interface Envelope {
  readonly id: string;
  readonly iv: Buffer;
  readonly tag: Buffer;
  readonly encrypted: Buffer;
}

function parseEnvelope(ciphertext: string): Envelope {
  const [version, id, iv, sealed, ...rest] = ciphertext.split(".");
  if (
    version !== VERSION ||
    id === undefined ||
    iv === undefined ||
    sealed === undefined ||
    rest.length > 0
  ) {
    throw malformed();
  }
  const ivBytes = decodeBase64Url(iv);
  const sealedBytes = decodeBase64Url(sealed);
  if (!KEY_ID.test(id) || ivBytes.length !== IV_BYTES || sealedBytes.length < TAG_BYTES) throw malformed();
  return {
    id,
    iv: ivBytes,
    tag: sealedBytes.subarray(0, TAG_BYTES),
    encrypted: sealedBytes.subarray(TAG_BYTES),
  };
}

/** Node ignores foreign characters and unused bits, so that several texts would decrypt: only the exact one may. */
function decodeBase64Url(text: string): Buffer {
  const decoded = Buffer.from(text, "base64url");
  if (decoded.toString("base64url") !== text) throw malformed();
  return decoded;
}

function open({ id, iv, tag, encrypted }: Envelope, key: Buffer, context: string): string {
  const decipher = createDecipheriv(ALGORITHM, key, iv, { authTagLength: TAG_BYTES });
  decipher.setAAD(Buffer.from(context, "utf8"));
  decipher.setAuthTag(tag);
  try {
    return Buffer.concat([decipher.update(encrypted), decipher.final()]).toString("utf8");
  } catch (cause) {
    throw new AppError(
      "ciphertext_rejected",
      `a stored value of ${context} does not decrypt with key "${id}": it was changed or moved, or that id now has another key`,
      { retry: "never", cause },
    );
  }
}

function unknownKey(id: string): AppError {
  return new AppError(
    "encryption_key_unknown",
    `a stored value was encrypted with key "${id}", which SLUICE_ENCRYPTION_KEYS does not hold: add it back, after the newest`,
    { retry: "never" },
  );
}

function malformed(): AppError {
  return new AppError(
    "ciphertext_malformed",
    `a stored value is not of the form ${VERSION}.<key id>.<iv>.<sealed>`,
    {
      retry: "never",
    },
  );
}

function invalid(reason: string): AppError {
  return new AppError("keyring_invalid", reason, { retry: "never" });
}
