import { assertNever } from "@sluice/domain/assert-never";
import type { Event } from "@sluice/domain/event";

import type { Database } from "./client.ts";
import type { DeliveryRow } from "./deliveries.ts";
import { factsOfPullRequest, factsOfPush } from "./event-facts.ts";

/** A normalised event on its way into the store. */
export interface NewEvent {
  /** Drawn with the sequence. */
  readonly id: string;
  readonly deliveryId: string;
  readonly requestId: string;
  readonly integrationId: string;
  readonly index: number;
  readonly sequence: number;
  readonly eventKey: string;
  readonly event: Event;
  readonly repositoryId: string | null;
  /** Of a pull request's source; null for other events, and when it is gone. */
  readonly sourceRepositoryId: string | null;
  readonly branchArrival: number | null;
  /** False for a push whose place among those of its branch Bitbucket has to be asked about (rule 14). */
  readonly isPlaced: boolean;
  /** See `PendingEvent`. */
  readonly isBranchToldAgain: boolean;
  /** The same hook told the same push before. */
  readonly isToldAgain: boolean;
  /** RFC 3339. */
  readonly receivedAt: string;
  /** The hook that told it, and at which attempt. */
  readonly hookId: string | null;
  readonly attempt: number;
  readonly source: DeliveryRow["source"];
}

/**
 * Draws ids and numbers for `count` events, both ascending. Drawn under the repository's lock, so that they follow the
 * order of recording.
 */
export async function drawEvents(db: Database, count: number): Promise<Pick<NewEvent, "id" | "sequence">[]> {
  const rows = await db.sql<{ id: string; sequence: number }[]>`
    SELECT uuidv7() AS id, nextval('sluice.event_sequence') AS sequence
    FROM generate_series(1, ${count})`;
  return rows.toSorted((a, b) => a.sequence - b.sequence);
}

/**
 * Inserts the events of deliveries that were recorded just now. `decided`: the ids of those whose decisions are written
 * in the same transaction.
 */
export async function insertEvents(
  db: Database,
  events: readonly NewEvent[],
  decided: ReadonlySet<string>,
): Promise<void> {
  if (events.length === 0) return;
  const rows = events.map(toRow);
  await db.sql`
    INSERT INTO sluice.events
      (id, delivery_id, index, sequence, kind, event_key, repository_id, ref_kind, ref_name, change, old_sha, new_sha, forced,
       branch_arrival, action, pull_request_number, source_repository_id, facts, received_at, told_again, decided_at)
    SELECT id, delivery_id, index, sequence, kind, event_key, repository_id, ref_kind, ref_name, change, old_sha, new_sha, forced::boolean,
           branch_arrival, action, pull_request_number, source_repository_id, facts::jsonb, received_at::timestamptz, told_again::boolean,
           CASE WHEN is_decided::boolean THEN now() END
    FROM unnest(
      ${rows.map((row) => row.id)}::uuid[],
      ${rows.map((row) => row.deliveryId)}::uuid[],
      ${rows.map((row) => row.index)}::int[],
      ${rows.map((row) => row.sequence)}::bigint[],
      ${rows.map((row) => row.kind)}::text[],
      ${rows.map((row) => row.eventKey)}::text[],
      ${rows.map((row) => row.repositoryId)}::uuid[],
      ${rows.map((row) => row.refKind)}::text[],
      ${rows.map((row) => row.refName)}::text[],
      ${rows.map((row) => row.change)}::text[],
      ${rows.map((row) => row.oldSha)}::text[],
      ${rows.map((row) => row.newSha)}::text[],
      ${rows.map((row) => String(row.forced))}::text[],
      ${rows.map((row) => row.branchArrival)}::bigint[],
      ${rows.map((row) => row.action)}::text[],
      ${rows.map((row) => row.pullRequestNumber)}::int[],
      ${rows.map((row) => row.sourceRepositoryId)}::uuid[],
      ${rows.map((row) => row.facts)}::text[],
      ${rows.map((row) => row.receivedAt)}::text[],
      ${rows.map((row) => String(row.isToldAgain))}::text[],
      ${rows.map((row) => String(decided.has(row.id)))}::text[]
    ) AS new (id, delivery_id, index, sequence, kind, event_key, repository_id, ref_kind, ref_name, change, old_sha, new_sha,
              forced, branch_arrival, action, pull_request_number, source_repository_id, facts, received_at, told_again, is_decided)`;
}

/** Puts the 40 digits in the place of a short hash, for the event and for its branch if it still stands there (rule 12). */
export async function expandEventSha(
  db: Database,
  event: { readonly id: string; readonly shortSha: string; readonly sha: string },
): Promise<void> {
  await db.sql`
    WITH expanded AS (
      UPDATE sluice.events SET new_sha = ${event.sha} WHERE id = ${event.id}
      RETURNING repository_id, ref_name
    )
    UPDATE sluice.branches SET head_sha = ${event.sha}
    FROM expanded
    WHERE branches.repository_id = expanded.repository_id AND branches.name = expanded.ref_name
      AND branches.head_sha = ${event.shortSha}`;
}

export async function markEventsDecided(db: Database, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return;
  await db.sql`UPDATE sluice.events SET decided_at = now() WHERE id = ANY(${ids}::uuid[])`;
}

const NO_REF = { refKind: null, refName: null, change: null, oldSha: null, newSha: null, forced: false };
const NO_PULL_REQUEST = { action: null, pullRequestNumber: null };

function toRow({ event, requestId: _requestId, integrationId: _integrationId, ...rest }: NewEvent) {
  const common = { ...rest, ...NO_REF, ...NO_PULL_REQUEST, kind: event.kind };
  switch (event.kind) {
    case "unsupported":
      return { ...common, facts: "{}" };
    case "push": {
      const { refKind, refName, change, oldSha, newSha, forced } = event;
      return { ...common, refKind, refName, change, oldSha, newSha, forced, facts: factsOfPush(event) };
    }
    case "pull_request": {
      const { action, pullRequest } = event;
      const { number: pullRequestNumber, source } = pullRequest;
      return { ...common, action, pullRequestNumber, newSha: source.sha, facts: factsOfPullRequest(event) };
    }
    default:
      return assertNever(event);
  }
}
