/** Who changed what, and who looked at which secret. Written in the transaction of the change itself. */
import type { Reach } from "@sluice/domain/access";

import type { Database } from "./client.ts";
import { isReached } from "./reach.ts";
import { toRfc3339 } from "./rfc3339.ts";

/** Who did it. */
export interface AuditActor {
  readonly kind: "api_key" | "bootstrap_key" | "command_line";
  /** Null unless it was a key of the API. */
  readonly keyId: string | null;
  readonly name: string;
  /** Where the request came from; null on the command line. */
  readonly address: string | null;
}

/** What was done. */
export interface AuditEntry {
  /** `integration.created`, `webhook_secret.seen`, … */
  readonly action: string;
  readonly subject: { readonly kind: string; readonly id: string | null; readonly name: string };
  /** The space that the subject belongs to; null: the account as a whole. */
  readonly spaceId: string | null;
  /** What was changed, without secrets. */
  readonly details?: Readonly<Record<string, unknown>>;
}

/** A row as people see it. */
export interface AuditRecord {
  readonly id: string;
  /** RFC 3339. */
  readonly at: string;
  readonly actorKind: AuditActor["kind"];
  readonly actorKeyId: string | null;
  readonly actorName: string;
  readonly action: string;
  readonly subjectKind: string;
  readonly subjectId: string | null;
  readonly subjectName: string;
  readonly spaceId: string | null;
  readonly details: Readonly<Record<string, unknown>>;
  readonly address: string | null;
}

/** Adds rows, in order. */
export async function insertAuditEntries(
  db: Database,
  actor: AuditActor,
  entries: readonly AuditEntry[],
): Promise<void> {
  if (entries.length === 0) return;
  await db.sql`
    INSERT INTO sluice.audit_log
      (actor_kind, actor_key_id, actor_name, address, action, subject_kind, subject_id, subject_name, space_id, details)
    SELECT ${actor.kind}, ${actor.keyId}::uuid, ${actor.name}, ${actor.address}, action, subject_kind, subject_id,
           subject_name, space_id, details::jsonb
    FROM unnest(
      ${entries.map((entry) => entry.action)}::text[],
      ${entries.map((entry) => entry.subject.kind)}::text[],
      ${entries.map((entry) => entry.subject.id)}::uuid[],
      ${entries.map((entry) => entry.subject.name)}::text[],
      ${entries.map((entry) => entry.spaceId)}::uuid[],
      ${entries.map((entry) => JSON.stringify(entry.details ?? {}))}::text[]
    ) AS new (action, subject_kind, subject_id, subject_name, space_id, details)`;
}

/** Rows within reach, the newest first; `before`: the id of the last one of the page before. */
export async function listAuditRecords(
  db: Database,
  page: {
    readonly reach: Reach;
    readonly limit: number;
    readonly before: string | null;
    readonly subjectId?: string;
    readonly action?: string;
  },
): Promise<AuditRecord[]> {
  const { reach, limit, before, subjectId, action } = page;
  const all = db.sql`true`;
  const rows = await db.sql<AuditRecord[]>`
    SELECT id, at, actor_kind, actor_key_id, actor_name, action, subject_kind, subject_id, subject_name, space_id, details,
           address
    FROM sluice.audit_log
    WHERE ${isReached(db, reach, db.sql`space_id`)}
      AND ${before === null ? all : db.sql`id < ${before}::uuid`}
      AND ${subjectId === undefined ? all : db.sql`subject_id = ${subjectId}::uuid`}
      AND ${action === undefined ? all : db.sql`action = ${action}`}
    ORDER BY id DESC
    LIMIT ${limit}`;
  return rows.map((row) => ({ ...row, at: toRfc3339(row.at) }));
}
