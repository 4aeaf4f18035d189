/** Which triggers there are, and what happened to each: for people. */
import type { Reach } from "@sluice/domain/access";
import type { RunType } from "@sluice/domain/decide";
import type { Target } from "@sluice/domain/target";
import type { TriggerState } from "@sluice/domain/trigger";

import type { Database } from "./client.ts";
import { isReached } from "./reach.ts";
import { toRfc3339 } from "./rfc3339.ts";
import { shaBeginsWith } from "./sha-prefix.ts";
import type { TriggerChange } from "./trigger-standings.ts";

/** Which triggers are wanted; what is left out does not matter. */
export interface TriggerFilter {
  readonly states?: readonly TriggerState[] | undefined;
  readonly runType?: RunType | undefined;
  readonly targetId?: string | undefined;
  readonly kind?: Target["kind"] | undefined;
  /** A name; not one below it. */
  readonly space?: string | undefined;
  /** 7 to 40 hex digits, in lower case. */
  readonly commit?: string | undefined;
  readonly repositoryId?: string | undefined;
}

/** A line of a trigger's history, with what tells it from others. */
export interface TriggerHistoryRow extends TriggerChange {
  readonly id: string;
}

/**
 * The ids of triggers of targets within reach, the newest first; `before`: the last one of the page before. By
 * `triggers_commit_idx` for a commit, `triggers_target_idx` for a target, `triggers_repository_idx` for a repository, else by
 * the primary key from its end.
 */
export async function listTriggerIds(
  db: Database,
  page: {
    readonly reach: Reach;
    readonly filter: TriggerFilter;
    readonly limit: number;
    readonly before: string | null;
  },
): Promise<string[]> {
  const { sql } = db;
  const { reach, limit, before } = page;
  const { states, runType, targetId, kind, space, commit, repositoryId } = page.filter;
  const all = sql`true`;
  const rows = await sql<{ id: string }[]>`
    SELECT triggers.id
    FROM sluice.triggers
    JOIN sluice.targets ON targets.id = triggers.target_id
    JOIN sluice.spaces ON spaces.id = targets.space_id
    WHERE ${isReached(db, reach, sql`targets.space_id`)}
      AND ${before === null ? all : sql`triggers.id < ${before}::uuid`}
      AND ${states === undefined ? all : sql`triggers.state = ANY(${[...states]}::text[])`}
      AND ${runType === undefined ? all : sql`triggers.run_type = ${runType}`}
      AND ${targetId === undefined ? all : sql`triggers.target_id = ${targetId}::uuid`}
      AND ${kind === undefined ? all : sql`targets.kind = ${kind}`}
      AND ${space === undefined ? all : sql`spaces.name = ${space}`}
      AND ${commit === undefined ? all : shaBeginsWith(db, sql`triggers.commit_sha`, commit)}
      AND ${repositoryId === undefined ? all : sql`triggers.repository_id = ${repositoryId}::uuid`}
    ORDER BY triggers.id DESC
    LIMIT ${limit}`;
  return rows.map(({ id }) => id);
}

/** What happened to a trigger, the latest first; `before`: the id of the last one of the page before. */
export async function listTriggerHistory(
  db: Database,
  page: { readonly triggerId: string; readonly limit: number; readonly before: string | null },
): Promise<TriggerHistoryRow[]> {
  const { triggerId, limit, before } = page;
  const place = db.sql`(SELECT at FROM sluice.trigger_history WHERE id = ${before} AND trigger_id = ${triggerId})`;
  const rows = await db.sql<TriggerHistoryRow[]>`
    SELECT id, state, actor, note, at FROM sluice.trigger_history
    WHERE trigger_id = ${triggerId}
      AND ${before === null ? db.sql`true` : db.sql`(at, id) < (${place}, ${before}::uuid)`}
    ORDER BY at DESC, id DESC LIMIT ${limit}`;
  return rows.map((row) => ({ ...row, at: toRfc3339(row.at) }));
}
