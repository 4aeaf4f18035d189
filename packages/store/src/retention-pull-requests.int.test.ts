import { randomUUID } from "node:crypto";

import { createTestDatabase, type TestDatabase } from "@sluice/embedded/test-database";
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from "vitest";

import { openStore, type Store } from "./client.ts";
import { migrateStore } from "./migrate.ts";
import { beginRetention, deleteOldDeliveries, RETENTION_START } from "./retention.ts";
import { insertIntegration, insertStack } from "./test-fixtures.ts";
import { insertPush, shaOf } from "./test-trigger-fixtures.ts";
import { withTransaction } from "./transaction.ts";

const DECISIONS_DAYS = 90;
/** A branch that is gone: its pushes tell nothing any more. */
const GONE = "feature/gone";
const NUMBER = 7;

let database: TestDatabase;
let store: Store;
let targetId: string;
let count = 0;

beforeAll(async () => {
  database = await createTestDatabase({
    serverUrl: inject("postgresUrl"),
    migrate: migrateStore,
    key: "store",
  });
  store = openStore({ url: database.url, maxConnections: 4, applicationName: "test" });
});

afterAll(async () => {
  await store.close();
  await database.drop();
});

beforeEach(async () => {
  await store.sql`TRUNCATE sluice.deliveries, sluice.repositories CASCADE`;
  const integrationId = randomUUID();
  const slug = `acme-${integrationId.slice(0, 8)}`;
  await insertIntegration(store, { id: integrationId, slug, webhookSecretCiphertext: "-" });
  targetId = await insertStack(store, { integrationId, repository: "acme/infra", name: "network" });
  await store.sql`
    INSERT INTO sluice.branches (repository_id, name, head_sha, arrival_sequence)
    SELECT repository_id, ${GONE}, NULL, 1 FROM sluice.targets WHERE id = ${targetId}`;
});

/** Makes the delivery of an event so many days old. */
async function age(eventId: string, days: number): Promise<void> {
  await store.sql`
    UPDATE sluice.deliveries SET recorded_at = now() - ${days} * interval '1 day'
    WHERE id = (SELECT delivery_id FROM sluice.events WHERE id = ${eventId})`;
}

/** A push that was decided, old enough to go. @returns the event. */
async function anOldPush(sequence = (count += 1)): Promise<string> {
  const eventId = await insertPush(store, { targetId, sequence, refName: GONE });
  await age(eventId, DECISIONS_DAYS + 1);
  return eventId;
}

async function deleteAllOld(): Promise<void> {
  await withTransaction(store, async (tx) => {
    expect(await beginRetention(tx)).toBe(true);
    await deleteOldDeliveries(tx, { olderThanDays: DECISIONS_DAYS, after: RETENTION_START, limit: 1_000 });
  });
}

/** Ids of the events that are left, of those given. */
async function left(...eventIds: readonly string[]): Promise<string[]> {
  const rows = await store.sql<{ id: string }[]>`
    SELECT events.id FROM unnest(${eventIds}::uuid[]) WITH ORDINALITY AS given (id, place)
    JOIN sluice.events USING (id) ORDER BY place`;
  return rows.map(({ id }) => id);
}

/** An old event of the pull request. @returns the event. */
async function anOldReport({ sha = shaOf(1), action = "synchronize" } = {}): Promise<string> {
  const eventId = await anOldPush();
  await store.sql`
    UPDATE sluice.events
    SET kind = 'pull_request', event_key = 'pullrequest:updated', action = ${action}, pull_request_number = ${NUMBER},
        new_sha = ${sha}, ref_kind = NULL, ref_name = NULL, change = NULL
    WHERE id = ${eventId}`;
  return eventId;
}

/** The pull request, whose present head that event was the first to tell. */
async function aPullRequest(state: string, headOf: string, days = DECISIONS_DAYS + 1): Promise<void> {
  await store.sql`
    INSERT INTO sluice.pull_requests
      (repository_id, number, title, state, updated_on, source_repository_id, source_branch, source_sha,
       destination_branch, head_arrival, recorded_at)
    SELECT repository_id, ${NUMBER}, 'A change', ${state}, now(), repository_id, 'feature/a', new_sha, 'main', sequence,
           now() - ${days} * interval '1 day'
    FROM sluice.events WHERE id = ${headOf}`;
}

async function aLink(commitSha: string): Promise<void> {
  await store.sql`
    WITH link AS (
      INSERT INTO sluice.commit_pull_requests (repository_id, commit_sha, number, source)
      SELECT repository_id, ${commitSha}, ${NUMBER}, 'event' FROM sluice.targets WHERE id = ${targetId}
    )
    INSERT INTO sluice.commit_links (repository_id, commit_sha)
    SELECT repository_id, ${commitSha} FROM sluice.targets WHERE id = ${targetId}`;
}

async function known() {
  const [row] = await store.sql<Record<string, number>[]>`
    SELECT (SELECT count(*)::int FROM sluice.pull_requests) AS pull_requests,
           (SELECT count(*)::int FROM sluice.commit_pull_requests) AS links,
           (SELECT count(*)::int FROM sluice.commit_links) AS commits`;
  return row;
}

describe("pull requests", () => {
  test.each(["MERGED", "DECLINED", "SUPERSEDED"])(
    "that are %s go with their last event, and with the links of their commits",
    async (state) => {
      const head = await anOldReport();
      const last = await anOldReport({ sha: shaOf(1).slice(0, 12), action: "closed" });
      await aPullRequest(state, head);
      await aLink(shaOf(1));
      await aLink(shaOf(2));
      await age(last, DECISIONS_DAYS - 1);
      await deleteAllOld();
      expect(await left(head, last)).toEqual([last]);
      // Only that Bitbucket was asked about the commit is forgotten: nothing young asks about it again.
      expect(await known()).toMatchObject({ pullRequests: 1, links: 2 });
      await age(last, DECISIONS_DAYS + 1);
      await deleteAllOld();
      expect(await known()).toMatchObject({ pullRequests: 0, links: 0 });
    },
  );

  test("that are over stay while they were touched later", async () => {
    await aPullRequest("DECLINED", await anOldReport(), DECISIONS_DAYS - 1);
    await deleteAllOld();
    expect(await known()).toMatchObject({ pullRequests: 1 });
  });

  test("that are open stay, with what tells of the present head and with comments; earlier heads go", async () => {
    const [earlier, comment] = [await anOldReport(), await anOldReport({ action: "commented" })];
    const head = await anOldReport({ sha: shaOf(2) });
    const approval = await anOldReport({ sha: shaOf(2), action: "approved" });
    await aPullRequest("OPEN", head);
    await aLink(shaOf(2));
    await deleteAllOld();
    expect(await left(earlier, comment, head, approval)).toEqual([comment, head, approval]);
    expect(await known()).toEqual({ pullRequests: 1, links: 1, commits: 1 });
  });

  test("are linked to a commit until the last push to it goes, too", async () => {
    const push = await anOldPush(5_000_000);
    await age(push, DECISIONS_DAYS - 1);
    await aPullRequest("MERGED", await anOldReport({ sha: shaOf(5_000_000) }));
    await aLink(shaOf(5_000_000));
    await deleteAllOld();
    expect(await known()).toEqual({ pullRequests: 0, links: 1, commits: 1 });
    await age(push, DECISIONS_DAYS + 1);
    await deleteAllOld();
    expect(await known()).toEqual({ pullRequests: 0, links: 0, commits: 0 });
  });
});
