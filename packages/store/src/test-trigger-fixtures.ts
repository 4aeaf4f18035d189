import { createHash } from "node:crypto";

import type { RunType } from "@sluice/domain/decide";
import type { TriggerState } from "@sluice/domain/trigger";

import type { Database } from "./client.ts";

/** Rows about triggers that tests start from. Not for anything else. */

/** A push of the target's repository, with a delivery of its own. @returns its id. */
export async function insertPush(
  db: Database,
  push: {
    readonly targetId: string;
    readonly sequence: number;
    readonly refName?: string;
    readonly isDecided?: boolean;
    readonly facts?: object;
    readonly requestId?: string;
  },
): Promise<string> {
  const [row] = await db.sql<{ id: string }[]>`
    WITH delivery AS (
      INSERT INTO sluice.deliveries
        (id, integration_id, request_id, event_key, attempt, secret_version, received_at, outcome, body_bytes)
      SELECT uuidv7(), repositories.integration_id, coalesce(${push.requestId ?? null}, uuidv7()::text), 'repo:push', 1,
             'current', now(), 'events', 2
      FROM sluice.targets JOIN sluice.repositories ON repositories.id = targets.repository_id
      WHERE targets.id = ${push.targetId}
      RETURNING id
    )
    INSERT INTO sluice.events
      (delivery_id, index, sequence, kind, event_key, repository_id, ref_kind, ref_name, change, old_sha, new_sha, facts,
       received_at, decided_at)
    SELECT delivery.id, 0, ${push.sequence}::bigint, 'push', 'repo:push', targets.repository_id, 'branch',
           ${push.refName ?? "main"}, 'updated', ${shaOf(push.sequence - 1)}, ${shaOf(push.sequence)},
           ${JSON.stringify(push.facts ?? {})}::text::jsonb, now(), CASE WHEN ${push.isDecided ?? true} THEN now() END
    FROM delivery, sluice.targets WHERE targets.id = ${push.targetId}
    RETURNING id`;
  return idOf(row);
}

/** A trigger of a push and of the decision that made it; its position is the push's sequence. @returns its id. */
export async function insertTrigger(
  db: Database,
  trigger: {
    readonly targetId: string;
    readonly position: number;
    readonly runType?: RunType;
    readonly state?: TriggerState;
    readonly refName?: string;
    readonly facts?: object;
    readonly requestId?: string;
  },
): Promise<string> {
  const { targetId, position, runType = "tracked", state = "queued", ...push } = trigger;
  const eventId = await insertPush(db, { ...push, targetId, sequence: position });
  const [row] = await db.sql<{ id: string }[]>`
    WITH trigger AS (
      INSERT INTO sluice.triggers
        (target_id, repository_id, source_repository_id, event_id, run_type, commit_sha, ref_name, base_sha, branch_arrival,
         position, state, changes)
      SELECT target.id, target.repository_id, target.repository_id, ${eventId}, ${runType}, ${shaOf(position)}, ${push.refName ?? "main"},
             ${shaOf(position - 1)}, ${position}::bigint, ${position}::bigint, ${state},
             '{"known": true, "matched": [], "total": 0}'
      FROM sluice.targets AS target WHERE target.id = ${targetId}
      RETURNING id, run_type
    ), decision AS (
      INSERT INTO sluice.decisions (event_id, target_id, outcome, run_type, reason, evidence, trigger_id)
      SELECT ${eventId}, ${targetId}, 'trigger', run_type, 'triggered', '{}', id FROM trigger
    )
    SELECT id FROM trigger`;
  return idOf(row);
}

/** The commit that a push of this sequence came to. */
export function shaOf(sequence: number): string {
  return createHash("sha1").update(String(sequence)).digest("hex");
}

function idOf(row: { readonly id: string } | undefined): string {
  if (row === undefined) throw new Error("nothing was inserted: is there such a target?");
  return row.id;
}
