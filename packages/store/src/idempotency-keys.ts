/** What requests with an `Idempotency-Key` were answered. */
import type { Database } from "./client.ts";

/** Who sent which key. */
export interface IdempotencyKey {
  /** The API key's id, or `bootstrap`. */
  readonly owner: string;
  readonly key: string;
}

/** An answer that was given. */
export interface GivenAnswer {
  /** SHA-256 of the request. */
  readonly requestDigest: string;
  readonly status: number;
  /** The body, encrypted with `idempotencyContext` as its context. */
  readonly bodyCiphertext: string;
}

/** The context that an answer's body is encrypted under. */
export function idempotencyContext({ owner, key }: IdempotencyKey): string {
  return `idempotency_key:${owner}:${key}:body`;
}

/**
 * Holds the key until the transaction ends, so that of two requests at once the second finds what the first was answered.
 * @returns that answer; null when there is none.
 */
export async function lockIdempotencyKey(
  db: Database,
  { owner, key }: IdempotencyKey,
): Promise<GivenAnswer | null> {
  await db.sql`SELECT pg_advisory_xact_lock(hashtextextended(${`${owner}:${key}`}, 0))`;
  const [row] = await db.sql<GivenAnswer[]>`
    SELECT request_digest, status, body_ciphertext FROM sluice.idempotency_keys
    WHERE owner = ${owner} AND key = ${key}`;
  return row ?? null;
}

/** Keeps an answer; the caller holds the key. */
export async function saveAnswer(
  db: Database,
  { owner, key }: IdempotencyKey,
  answer: GivenAnswer,
): Promise<void> {
  await db.sql`
    INSERT INTO sluice.idempotency_keys (owner, key, request_digest, status, body_ciphertext)
    VALUES (${owner}, ${key}, ${answer.requestDigest}, ${answer.status}, ${answer.bodyCiphertext})`;
}

/** Forgets answers that are older; at most `limit` of them. @returns how many. */
export async function deleteOldAnswers(
  db: Database,
  { olderThanMs, limit }: { readonly olderThanMs: number; readonly limit: number },
): Promise<number> {
  const rows = await db.sql`
    DELETE FROM sluice.idempotency_keys WHERE id IN (
      SELECT id FROM sluice.idempotency_keys
      WHERE created_at < now() - ${olderThanMs} * interval '1 millisecond'
      ORDER BY created_at LIMIT ${limit} FOR UPDATE SKIP LOCKED
    ) RETURNING id`;
  return rows.length;
}
