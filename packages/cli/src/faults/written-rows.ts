/** What stands in Postgres in the end, in a form that two runs can be compared by. */
import { createHash } from "node:crypto";

import type { QueueBackend } from "@sluice/queue/backend";
import { allQueues } from "@sluice/queue/queues";
import type { Store } from "@sluice/store/client";
import { findDeliveryBody } from "@sluice/store/delivery-bodies";

import type { PushDelivery, WebhookDelivery } from "./push-delivery.ts";

/** One delivery: its identity and its bytes. */
export interface WrittenDelivery {
  readonly requestId: string;
  readonly outcome: string;
  readonly bodyHash: string;
}

/** Deliveries as they have to be recorded, each once. */
export function deliveriesOf(sent: readonly WebhookDelivery[]): readonly WrittenDelivery[] {
  return sent
    .map(({ requestId, body }) => ({ requestId, outcome: "events", bodyHash: sha256(body) }))
    .toSorted((a, b) => (a.requestId < b.requestId ? -1 : 1));
}

export async function readDeliveries(store: Store): Promise<readonly WrittenDelivery[]> {
  const rows = await store.sql<{ id: string; requestId: string; outcome: string }[]>`
    SELECT id, request_id, outcome FROM sluice.deliveries ORDER BY request_id COLLATE "C"`;
  return Promise.all(
    rows.map(async ({ id, requestId, outcome }) => {
      const kept = await findDeliveryBody(store, id);
      return { requestId, outcome, bodyHash: kept === null ? "no body" : sha256(kept.body) };
    }),
  );
}

/** The targets of a repository by its name, all of them concerned by every push to it. */
export type TargetsOf = (repository: string) => readonly string[];

/** What pushes have to come to, one line for each event and target. */
export function decisionsOf(sent: readonly PushDelivery[], targetsOf: TargetsOf): readonly string[] {
  return sent
    .flatMap(({ repository, changes }) =>
      changes.flatMap(({ branch, sha }) =>
        targetsOf(repository).map((target) => {
          const runType = branch === "main" ? "tracked" : "proposed";
          return `${branch}@${sha} → ${target}: triggered ${runType}, queued`;
        }),
      ),
    )
    .toSorted();
}

/**
 * Every decision with the trigger that it made and how that began. A decision without its trigger, a trigger without its
 * decision or history, or a second one of any of them makes a line that `decisionsOf` does not have. What became of a
 * trigger later, which its history gives a reason for, is left out.
 */
export async function readDecisions(store: Store): Promise<readonly string[]> {
  const rows = await store.sql<{ line: string }[]>`
    SELECT coalesce(
          events.ref_name || '@' || events.new_sha,
          '#' || events.pull_request_number || ' ' || events.action || ' at ' || events.new_sha,
          'no event'
        ) || ' → '
        || coalesce(targets.name, 'no target') || ': ' || coalesce(decisions.reason, 'no decision')
        || coalesce(' ' || triggers.run_type, '') || coalesce(', ' || history.states, '')
        || CASE WHEN triggers.commit_sha <> events.new_sha THEN ', at another commit' ELSE '' END AS line
    FROM sluice.events
    FULL JOIN sluice.decisions ON decisions.event_id = events.id
    FULL JOIN sluice.triggers ON triggers.id = decisions.trigger_id
    LEFT JOIN sluice.targets ON targets.id = coalesce(decisions.target_id, triggers.target_id)
    LEFT JOIN LATERAL (
      SELECT string_agg(state, ' ' ORDER BY at) AS states FROM sluice.trigger_history
      WHERE trigger_id = triggers.id AND note IS NULL
    ) AS history ON true`;
  return rows.map(({ line }) => line).toSorted();
}

/** What became of every trigger, in the order of claiming, target by target; of proposed ones also their pull requests. */
export async function readTriggers(store: Store): Promise<readonly string[]> {
  const rows = await store.sql<{ line: string }[]>`
    SELECT targets.name || ': ' || run_type || ' ' || commit_sha || ' ' || triggers.state
        || CASE WHEN awaits_push THEN ', push awaited' ELSE '' END || coalesce(links.numbers, '') AS line
    FROM sluice.triggers JOIN sluice.targets ON targets.id = target_id
    LEFT JOIN LATERAL (
      SELECT string_agg(', #' || number, '' ORDER BY number) AS numbers FROM sluice.commit_pull_requests AS link
      WHERE link.repository_id = triggers.repository_id AND link.commit_sha = triggers.commit_sha
        AND run_type = 'proposed'
    ) AS links ON true
    ORDER BY targets.name, position, triggers.id`;
  return rows.map(({ line }) => line);
}

/** Deliveries that are recorded and events that are decided; for polling. */
export async function countWritten(store: Store) {
  const [row] = await store.sql<{ deliveries: number; decided: number; undecided: number }[]>`
    SELECT (SELECT count(*) FROM sluice.deliveries) AS deliveries,
           count(decided_at) AS decided, count(*) - count(decided_at) AS undecided
    FROM sluice.events`;
  return row;
}

/** What `countWritten` says when nothing is missing. */
export function allWritten(sent: readonly PushDelivery[]) {
  return { deliveries: sent.length, decided: sent.flatMap(({ changes }) => changes).length, undecided: 0 };
}

/** Jobs of all queues that are not completed. */
export async function countOpenJobs(queues: QueueBackend) {
  const totals = { waiting: 0, active: 0, delayed: 0, failed: 0 };
  for (const { name } of allQueues) {
    const { queue, close } = await queues.openQueue(name);
    const counts = await queue.getJobCounts("waiting", "active", "delayed", "failed");
    await close();
    for (const state of ["waiting", "active", "delayed", "failed"] as const)
      totals[state] += counts[state] ?? 0;
  }
  return totals;
}

/** What `countOpenJobs` says when all are done. */
export const NO_OPEN_JOBS = { waiting: 0, active: 0, delayed: 0, failed: 0 };

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
