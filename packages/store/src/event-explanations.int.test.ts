import { randomUUID } from "node:crypto";

import { createTestDatabase, type TestDatabase } from "@sluice/embedded/test-database";
import { afterAll, beforeAll, expect, inject, test } from "vitest";

import { openStore, type Store } from "./client.ts";
import { explainEvents } from "./event-explanations.ts";
import { findReferredEvents, findRepositoryStanding, type EventReference } from "./event-references.ts";
import { migrateStore } from "./migrate.ts";
import { insertIntegration, insertStack } from "./test-fixtures.ts";

/** Enough that the planner has a reason to use an index. */
const EVENTS = 20_000;
const BRANCHES = 100;

let database: TestDatabase;
let store: Store;
let one: {
  readonly requestId: string;
  readonly deliveryId: string;
  readonly eventId: string;
  readonly triggerId: string;
  readonly sha: string;
};

beforeAll(async () => {
  database = await createTestDatabase({
    serverUrl: inject("postgresUrl"),
    migrate: migrateStore,
    key: "store",
  });
  // One connection, whose counters of scans are then those of all that was done.
  store = openStore({ url: database.url, maxConnections: 2, applicationName: "test" });
  const integrationId = randomUUID();
  await insertIntegration(store, { id: integrationId, slug: "acme", webhookSecretCiphertext: "-" });
  const targetId = await insertStack(store, { integrationId, repository: "acme/infra", name: "network" });
  await insertHistory(targetId);
  const [row] = await store.sql<(typeof one)[]>`
    SELECT request_id, deliveries.id AS delivery_id, events.id AS event_id, triggers.id AS trigger_id, new_sha AS sha
    FROM sluice.events JOIN sluice.deliveries ON deliveries.id = delivery_id
    JOIN sluice.triggers ON triggers.event_id = events.id
    WHERE sequence = 777`;
  if (row === undefined) throw new Error("there is no event to look for");
  one = row;
});

afterAll(async () => {
  await store.close();
  await database.drop();
});

/** Pushes to many branches, each with a proposed run that has ended. */
async function insertHistory(targetId: string): Promise<void> {
  await store.sql`
    WITH target AS (
      SELECT targets.id, repository_id, repositories.integration_id
      FROM sluice.targets JOIN sluice.repositories ON repositories.id = repository_id WHERE targets.id = ${targetId}
    ), delivery AS (
      INSERT INTO sluice.deliveries
        (id, integration_id, request_id, event_key, attempt, secret_version, received_at, outcome, body_bytes)
      SELECT uuidv7(), integration_id, gen_random_uuid()::text, 'repo:push', 1, 'current', now(), 'events', 2
      FROM target, generate_series(1, ${EVENTS})
      RETURNING id
    ), numbered AS (
      SELECT id, row_number() OVER () AS number, left(encode(sha256(uuid_send(id)), 'hex'), 40) AS sha FROM delivery
    ), event AS (
      INSERT INTO sluice.events
        (delivery_id, index, sequence, kind, event_key, repository_id, ref_kind, ref_name, change, new_sha, pull_request_number, received_at,
         decided_at)
      SELECT numbered.id, 0, number, 'push', 'repo:push', repository_id, 'branch', 'b' || number % ${BRANCHES}, 'updated',
             sha, number, now(), now()
      FROM numbered, target
      RETURNING id, sequence, repository_id, ref_name, new_sha
    ), trigger AS (
      INSERT INTO sluice.triggers
        (target_id, repository_id, source_repository_id, event_id, run_type, commit_sha, ref_name, branch_arrival, position, state,
         changes)
      SELECT target.id, event.repository_id, event.repository_id, event.id, 'proposed', new_sha, ref_name, sequence, sequence, 'succeeded', '{}'
      FROM event, target
      RETURNING id, event_id, target_id
    ), history AS (
      INSERT INTO sluice.trigger_history (trigger_id, state, actor) SELECT id, 'queued', 'worker' FROM trigger
    )
    INSERT INTO sluice.decisions (event_id, target_id, outcome, run_type, reason, evidence, trigger_id)
    SELECT event_id, target_id, 'trigger', 'proposed', 'triggered', '{}', id FROM trigger`;
  await store.sql`ANALYZE`;
}

/** How often tables that grow with every delivery were read from end to end. */
async function countFullScans(): Promise<number> {
  await store.sql`SELECT pg_stat_force_next_flush()`;
  const [row] = await store.sql<{ scans: number }[]>`
    SELECT sum(seq_scan)::int AS scans FROM pg_stat_user_tables
    WHERE schemaname = 'sluice'
      AND relname IN ('deliveries', 'events', 'decisions', 'triggers', 'trigger_history')`;
  return row?.scans ?? 0;
}

test("no table that grows is read from end to end, whatever an event is named by", async () => {
  const before = await countFullScans();
  const references: EventReference[] = [
    ...[one.deliveryId, one.requestId, one.eventId, one.triggerId].map((id) => ({ kind: "id", id }) as const),
    { kind: "commit", sha: one.sha },
    { kind: "commit", sha: one.sha.slice(0, 12) },
    { kind: "branch", repository: "Acme/Infra", branch: "b77" },
    { kind: "pull_request", repository: "Acme/Infra", number: 77 },
  ];
  for (const reference of references) {
    const { events } = await findReferredEvents(store, reference, 10);
    const [explanation] = await explainEvents(store, events, { kind: "all" });
    expect(explanation).toMatchObject({ decisions: [{ trigger: { history: [{ state: "queued" }] } }] });
  }
  expect(await findRepositoryStanding(store, "acme/infra")).toEqual({ isSeen: false });
  expect(await countFullScans()).toBe(before);
  // The counter does count.
  await store.sql`SELECT count(*) FROM sluice.trigger_history WHERE actor = 'nobody'`;
  expect(await countFullScans()).toBeGreaterThan(before);
});
