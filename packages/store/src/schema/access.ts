import { sql } from "drizzle-orm";
import { check, index, integer, jsonb, text, unique, uniqueIndex, uuid } from "drizzle-orm/pg-core";

import { ciphertext, createdAt, id, sluice, time } from "./columns.ts";
import { spaces } from "./spaces.ts";

/** Keys of the API. Revoked ones stay, because the audit log names them. */
export const apiKeys = sluice.table(
  "api_keys",
  {
    id: id(),
    name: text().notNull(),
    /** The visible beginning of the key, by which people tell keys apart. */
    prefix: text().notNull(),
    /** SHA-256 of the whole key, 64 hex digits: of 256 random bits nothing slower is needed. */
    digest: text().notNull(),
    role: text({ enum: ["read", "write", "admin", "scheduler"] }).notNull(),
    spaceId: uuid()
      .notNull()
      .references(() => spaces.id),
    /** Null: without an end. */
    expiresAt: time(),
    revokedAt: time(),
    /** Exact to a minute. */
    lastUsedAt: time(),
    createdAt: createdAt(),
  },
  (t) => [
    unique("api_keys_digest_key").on(t.digest),
    uniqueIndex("api_keys_name_key")
      .on(t.spaceId, t.name)
      .where(sql`${t.revokedAt} IS NULL`),
    check("api_keys_role_check", sql`${t.role} IN ('read', 'write', 'admin', 'scheduler')`),
  ],
);

/** Each change by a person or a program of theirs, and each look at a secret. Rows are only ever added. */
export const auditLog = sluice.table(
  "audit_log",
  {
    id: id(),
    at: createdAt(),
    actorKind: text({ enum: ["api_key", "bootstrap_key", "command_line"] }).notNull(),
    /** Without a reference: the log outlives what it names. */
    actorKeyId: uuid(),
    actorName: text().notNull(),
    /** `integration.created`, `webhook_secret.seen`, … */
    action: text().notNull(),
    subjectKind: text().notNull(),
    subjectId: uuid(),
    subjectName: text().notNull(),
    /** The space that the subject belongs to; null: the account as a whole. Whose admins may read the row. */
    spaceId: uuid(),
    /** What was changed, without secrets. */
    details: jsonb().$type<Record<string, unknown>>().notNull().default({}),
    /** Of the request; null on the command line. */
    address: text(),
  },
  (t) => [
    index("audit_log_space_idx").on(t.spaceId, t.id),
    index("audit_log_subject_idx").on(t.subjectId, t.id),
    check("audit_log_actor_kind_check", sql`${t.actorKind} IN ('api_key', 'bootstrap_key', 'command_line')`),
  ],
);

/** Answers that were given to requests with an `Idempotency-Key`, for a day. */
export const idempotencyKeys = sluice.table(
  "idempotency_keys",
  {
    id: id(),
    /** The API key's id, or `bootstrap`. */
    owner: text().notNull(),
    key: text().notNull(),
    /** SHA-256 of method, path and body: the same key with another request is refused. */
    requestDigest: text().notNull(),
    status: integer().notNull(),
    /** The answer's body: it may hold a secret that is shown once. */
    bodyCiphertext: ciphertext().notNull(),
    createdAt: createdAt(),
  },
  (t) => [
    unique("idempotency_keys_identity_key").on(t.owner, t.key),
    index("idempotency_keys_created_at_idx").on(t.createdAt),
  ],
);
