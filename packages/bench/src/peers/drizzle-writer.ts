/** The same transaction as in transaction-writer.ts, written with Drizzle's query builder and `db.transaction`. */
import type { PushEvent } from "@sluice/domain/event";
import type { Target } from "@sluice/domain/target";
import { branches, deliveries, deliveryBodies, events } from "@sluice/store/schema/deliveries";
import { repositories, targets } from "@sluice/store/schema/targets";
import { decisions, triggerHistory, triggers } from "@sluice/store/schema/triggers";
import { and, eq, isNull, sql } from "drizzle-orm";
import { drizzle, type PostgresJsDatabase } from "drizzle-orm/postgres-js";
import postgres from "postgres";
import {
  CHANGES_NOT_ASKED_FOR,
  decideToRun,
  factsOf,
  readWebhook,
  type PeerDelivery,
} from "./peer-delivery.ts";
import { PEER_CONNECTIONS, type PeerWriter } from "./transaction-writer.ts";

type Transaction = Parameters<Parameters<PostgresJsDatabase["transaction"]>[0]>[0];

/** Connects when it first writes. */
export function createDrizzleWriter(databaseUrl: string): PeerWriter {
  const client = postgres(databaseUrl, { max: PEER_CONNECTIONS, onnotice: () => undefined });
  const db = drizzle(client, { casing: "snake_case" });
  return {
    write: (delivery) => db.transaction((tx) => writeWebhook(tx, delivery)),
    close: () => client.end({ timeout: 5 }),
  };
}

async function writeWebhook(tx: Transaction, delivery: PeerDelivery): Promise<void> {
  const { id, repositoryUuid, pushes } = readWebhook(delivery);
  const found = await findTargets(tx, delivery.integrationId, repositoryUuid);
  const repositoryId = found[0]?.repositoryId ?? "";
  const isNew = await insertDelivery(tx, id, delivery);
  if (!isNew) return;
  const sequences = await moveBranches(tx, repositoryId, pushes);
  const sequenceOf = (push: PushEvent): number => sequences.get(push.refName) ?? 0;
  const inserted = await tx
    .insert(events)
    .values(
      pushes.map((push, index) => ({
        deliveryId: id,
        index,
        sequence: sequenceOf(push),
        kind: "push" as const,
        eventKey: delivery.eventKey,
        repositoryId,
        refKind: push.refKind,
        refName: push.refName,
        change: push.change,
        oldSha: push.oldSha,
        newSha: push.newSha,
        forced: push.forced,
        branchArrival: sequenceOf(push),
        facts: factsOf(push),
        receivedAt: delivery.receivedAt,
        decidedAt: sql`now()`,
      })),
    )
    .returning({ id: events.id });
  const runs = pushes.flatMap((push, index) =>
    found.map(({ target }) => ({
      eventId: inserted[index]?.id ?? "",
      push,
      sequence: sequenceOf(push),
      target,
    })),
  );
  await insertRuns(tx, repositoryId, runs);
}

async function findTargets(tx: Transaction, integrationId: string, repositoryUuid: string) {
  const rows = await tx
    .select()
    .from(repositories)
    .innerJoin(targets, eq(targets.repositoryId, repositories.id))
    .where(
      and(
        eq(repositories.integrationId, integrationId),
        eq(repositories.uuid, repositoryUuid),
        isNull(targets.removedAt),
      ),
    );
  return rows.map(({ repositories: { id }, targets: { enabled, ...row } }) => {
    const target: Target = { ...row, state: enabled ? "active" : "disabled" };
    return { repositoryId: id, target };
  });
}

/** @returns whether it was new. */
async function insertDelivery(tx: Transaction, id: string, delivery: PeerDelivery): Promise<boolean> {
  const { body, ...facts } = delivery;
  const inserted = await tx
    .insert(deliveries)
    .values({ id, ...facts, secretVersion: "current", outcome: "events", bodyBytes: body.byteLength })
    .onConflictDoNothing()
    .returning({ id: deliveries.id });
  if (inserted.length === 0) return false;
  await tx.insert(deliveryBodies).values({ deliveryId: id, headers: {}, encoding: "identity", body });
  return true;
}

async function moveBranches(
  tx: Transaction,
  repositoryId: string,
  pushes: readonly PushEvent[],
): Promise<ReadonlyMap<string, number>> {
  const rows = await tx
    .insert(branches)
    .values(
      pushes
        .toSorted((a, b) => (a.refName < b.refName ? -1 : 1))
        .map((push) => ({
          repositoryId,
          name: push.refName,
          headSha: push.newSha,
          arrivalSequence: sql`nextval('sluice.event_sequence')`,
        })),
    )
    .onConflictDoUpdate({
      target: [branches.repositoryId, branches.name],
      set: {
        headSha: sql`excluded.head_sha`,
        arrivalSequence: sql`excluded.arrival_sequence`,
        updatedAt: sql`now()`,
      },
    })
    .returning({ name: branches.name, sequence: branches.arrivalSequence });
  return new Map(rows.map(({ name, sequence }) => [name, sequence]));
}

interface Run {
  readonly eventId: string;
  readonly push: PushEvent;
  readonly sequence: number;
  readonly target: Target;
}

async function insertRuns(tx: Transaction, repositoryId: string, runs: readonly Run[]): Promise<void> {
  const decided = runs.map((run) => ({ ...run, decision: decideToRun(run.push, run.target) }));
  const inserted = await tx
    .insert(triggers)
    .values(
      decided.map(({ eventId, push, sequence, target, decision }) => ({
        targetId: target.id,
        repositoryId,
        sourceRepositoryId: repositoryId,
        eventId,
        runType: decision.runType,
        commitSha: push.newSha ?? "",
        refName: push.refName,
        baseSha: push.oldSha,
        branchArrival: sequence,
        position: sequence,
        changes: CHANGES_NOT_ASKED_FOR,
      })),
    )
    .returning({ id: triggers.id, eventId: triggers.eventId, targetId: triggers.targetId });
  await tx
    .insert(triggerHistory)
    .values(inserted.map(({ id }) => ({ triggerId: id, state: "queued", actor: "worker" })));
  const ids = new Map(inserted.map((row) => [`${row.eventId} ${row.targetId}`, row.id]));
  await tx.insert(decisions).values(
    decided.map(({ eventId, target, decision }) => ({
      eventId,
      targetId: target.id,
      outcome: decision.outcome,
      runType: decision.runType,
      reason: decision.reason,
      evidence: { ...decision.evidence },
      triggerId: ids.get(`${eventId} ${target.id}`) ?? null,
    })),
  );
}
