/**
 * One transaction for each webhook, with the rows that ours writes: the delivery and its body, branches, events,
 * decisions, triggers and their history. It is what a careful engineer would write first: rows of one table in one
 * statement, prepared statements, a pool. It does less than ours (it takes no lock of the repository, so nothing orders
 * two pushes of one branch, and it does not look for the same commit on another branch): if the comparison is unfair,
 * then in its favour. Eight round trips.
 */
import type { PushEvent } from "@sluice/domain/event";
import type { Target } from "@sluice/domain/target";
import postgres from "postgres";
import {
  CHANGES_NOT_ASKED_FOR,
  decideToRun,
  factsOf,
  readWebhook,
  type PeerDelivery,
  type TriggerDecision,
} from "./peer-delivery.ts";

/** As many connections as a worker of ours has. */
export const PEER_CONNECTIONS = 10;

/** Writes webhooks, many at once. */
export interface PeerWriter {
  /** Resolves when the webhook and what follows from it are committed. */
  write(delivery: PeerDelivery): Promise<void>;
  close(): Promise<void>;
}

/** A push with its place in the order of its branch. */
interface OrderedPush {
  readonly push: PushEvent;
  readonly sequence: string;
}

/** A run to ask for. */
interface Run extends OrderedPush {
  readonly eventId: string;
  readonly target: Target;
  readonly decision: TriggerDecision;
}

/** Connects when it first writes. */
export function createTransactionWriter(databaseUrl: string): PeerWriter {
  const sql = postgres(databaseUrl, {
    max: PEER_CONNECTIONS,
    onnotice: () => undefined,
    transform: { column: { from: postgres.toCamel } },
  });
  return {
    write: async (delivery) => {
      await sql.begin((tx) => writeWebhook(tx, delivery));
    },
    close: () => sql.end({ timeout: 5 }),
  };
}

async function writeWebhook(tx: postgres.TransactionSql, delivery: PeerDelivery): Promise<void> {
  const { id, repositoryUuid, pushes } = readWebhook(delivery);
  const { repositoryId, targets } = await findTargets(tx, delivery.integrationId, repositoryUuid);
  const isNew = await insertDelivery(tx, id, delivery);
  if (!isNew) return;
  const ordered = await moveBranches(tx, repositoryId, pushes);
  const eventIds = await insertEvents(tx, { deliveryId: id, repositoryId, delivery, ordered });
  const runs = ordered.flatMap(({ push, sequence }, index) =>
    targets.map((target): Run => {
      return { push, sequence, eventId: eventIds[index] ?? "", target, decision: decideToRun(push, target) };
    }),
  );
  await insertRuns(tx, repositoryId, runs);
}

async function findTargets(tx: postgres.TransactionSql, integrationId: string, repositoryUuid: string) {
  const targets = await tx<(Target & { readonly repositoryId: string })[]>`
    SELECT repositories.id AS repository_id, targets.id, kind, name, tracked_branch, project_root, project_globs,
           on_unknown_files, CASE WHEN enabled THEN 'active' ELSE 'disabled' END AS state
    FROM sluice.repositories JOIN sluice.targets ON targets.repository_id = repositories.id
    WHERE repositories.integration_id = ${integrationId} AND uuid = ${repositoryUuid} AND removed_at IS NULL`;
  return { repositoryId: targets[0]?.repositoryId ?? "", targets };
}

/** @returns whether it was new. */
async function insertDelivery(
  tx: postgres.TransactionSql,
  id: string,
  delivery: PeerDelivery,
): Promise<boolean> {
  const { integrationId, requestId, hookId, eventKey, attempt, receivedAt, body } = delivery;
  const inserted = await tx`
    WITH inserted AS (
      INSERT INTO sluice.deliveries
        (id, integration_id, request_id, hook_id, event_key, attempt, secret_version, received_at, outcome, body_bytes)
      VALUES (${id}, ${integrationId}, ${requestId}, ${hookId}, ${eventKey}, ${attempt}, 'current', ${receivedAt},
              'events', ${body.byteLength})
      ON CONFLICT DO NOTHING
      RETURNING id
    )
    INSERT INTO sluice.delivery_bodies (delivery_id, headers, encoding, body)
    SELECT id, '{}', 'identity', ${body} FROM inserted
    RETURNING delivery_id`;
  return inserted.length > 0;
}

async function moveBranches(
  tx: postgres.TransactionSql,
  repositoryId: string,
  pushes: readonly PushEvent[],
): Promise<readonly OrderedPush[]> {
  const arrivals = await tx<{ name: string; arrivalSequence: string }[]>`
    INSERT INTO sluice.branches AS known (repository_id, name, head_sha, arrival_sequence)
    SELECT ${repositoryId}::uuid, name, head, nextval('sluice.event_sequence')
    FROM unnest(${pushes.map((push) => push.refName)}::text[], ${pushes.map((push) => push.newSha)}::text[])
      AS moved (name, head)
    ORDER BY name
    ON CONFLICT (repository_id, name) DO UPDATE
      SET head_sha = excluded.head_sha, arrival_sequence = excluded.arrival_sequence, updated_at = now()
    RETURNING name, arrival_sequence`;
  const sequences = new Map(arrivals.map((row) => [row.name, row.arrivalSequence]));
  return pushes.map((push) => ({ push, sequence: sequences.get(push.refName) ?? "0" }));
}

/** @returns the ids, in the order of the pushes. */
async function insertEvents(
  tx: postgres.TransactionSql,
  input: {
    readonly deliveryId: string;
    readonly repositoryId: string;
    readonly delivery: PeerDelivery;
    readonly ordered: readonly OrderedPush[];
  },
): Promise<readonly string[]> {
  const rows = input.ordered.map(({ push, sequence }, index) => ({
    delivery_id: input.deliveryId,
    index,
    sequence,
    kind: "push",
    event_key: input.delivery.eventKey,
    repository_id: input.repositoryId,
    ref_kind: push.refKind,
    ref_name: push.refName,
    change: push.change,
    old_sha: push.oldSha,
    new_sha: push.newSha,
    forced: push.forced,
    branch_arrival: sequence,
    facts: tx.json(toJson(factsOf(push))),
    received_at: input.delivery.receivedAt,
    decided_at: new Date(),
  }));
  const events = await tx<{ id: string }[]>`INSERT INTO sluice.events ${tx(rows)} RETURNING id`;
  return events.map(({ id }) => id);
}

async function insertRuns(
  tx: postgres.TransactionSql,
  repositoryId: string,
  runs: readonly Run[],
): Promise<void> {
  const triggers = await tx<{ id: string; eventId: string; targetId: string }[]>`
    WITH inserted AS (
      INSERT INTO sluice.triggers ${tx(
        runs.map(({ eventId, push, sequence, target, decision }) => ({
          target_id: target.id,
          repository_id: repositoryId,
          source_repository_id: repositoryId,
          event_id: eventId,
          run_type: decision.runType,
          commit_sha: push.newSha,
          ref_name: push.refName,
          base_sha: push.oldSha,
          branch_arrival: sequence,
          position: sequence,
          changes: tx.json(CHANGES_NOT_ASKED_FOR),
        })),
      )}
      RETURNING id, event_id, target_id, state
    ), history AS (
      INSERT INTO sluice.trigger_history (trigger_id, state, actor) SELECT id, state, 'worker' FROM inserted
    )
    SELECT id, event_id, target_id FROM inserted`;
  const triggerIds = new Map(triggers.map((row) => [`${row.eventId} ${row.targetId}`, row.id]));
  await tx`
    INSERT INTO sluice.decisions ${tx(
      runs.map(({ eventId, target, decision }) => ({
        event_id: eventId,
        target_id: target.id,
        outcome: decision.outcome,
        run_type: decision.runType,
        reason: decision.reason,
        evidence: tx.json(toJson(decision.evidence)),
        trigger_id: triggerIds.get(`${eventId} ${target.id}`) ?? null,
      })),
    )}`;
}

function toJson(value: object): postgres.JSONValue {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- made of texts, numbers, booleans and null, which the driver's type cannot see through our interfaces
  return value as postgres.JSONValue;
}
