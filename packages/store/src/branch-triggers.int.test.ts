import { randomUUID } from "node:crypto";

import { judgeTriggers, type TriggerVerdict } from "@sluice/domain/outdated";
import { createTestDatabase, type TestDatabase } from "@sluice/embedded/test-database";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, test } from "vitest";

import { listBranchTriggers, targetedBranchKey } from "./branch-triggers.ts";
import { applyVerdicts } from "./trigger-ends.ts";
import { claimTriggers, expireLeases } from "./claims.ts";
import { openStore, type Store } from "./client.ts";
import { migrateStore } from "./migrate.ts";
import { insertIntegration, insertStack } from "./test-fixtures.ts";
import { insertPush, insertTrigger } from "./test-trigger-fixtures.ts";
import { finishTrigger } from "./trigger-reports.ts";

let database: TestDatabase;
let store: Store;
let targetId: string;
let repositoryId: string;

beforeAll(async () => {
  database = await createTestDatabase({
    serverUrl: inject("postgresUrl"),
    migrate: migrateStore,
    key: "store",
  });
  store = openStore({ url: database.url, maxConnections: 12, applicationName: "test" });
});

afterAll(async () => {
  await store.close();
  await database.drop();
});

beforeEach(async () => {
  const integrationId = randomUUID();
  await insertIntegration(store, {
    id: integrationId,
    slug: `acme-${integrationId.slice(0, 8)}`,
    webhookSecretCiphertext: "-",
  });
  targetId = await insertStack(store, { integrationId, repository: "acme/infra", name: integrationId });
  const [target] = await store.sql<{ repositoryId: string }[]>`
    SELECT repository_id FROM sluice.targets WHERE id = ${targetId}`;
  repositoryId = target?.repositoryId ?? "";
});

afterEach(async () => {
  await store.sql`TRUNCATE sluice.triggers, sluice.events, sluice.targets CASCADE`;
});

const insertProposed = (position: number) =>
  insertTrigger(store, { targetId, position, runType: "proposed", refName: "feature" });

const ofOurs = (name: string) => ({ repositoryId, sourceRepositoryId: repositoryId, name });

async function listFeature() {
  const branches = await listBranchTriggers(store, [ofOurs("feature")], []);
  return branches.get(targetedBranchKey(ofOurs("feature")));
}

async function judge(): Promise<TriggerVerdict[]> {
  const branch = await listFeature();
  return branch === undefined ? [] : judgeTriggers({ ...branch, closing: branch.closings[0] ?? null });
}

async function claim() {
  const [held] = await claimTriggers(store, { limit: 1, leaseMs: 60_000, holder: "runner-7" });
  if (held === undefined) throw new Error("nothing can be claimed");
  return held;
}

async function stateOf(id: string) {
  const [row] =
    await store.sql`SELECT state, cancel_requested, message FROM sluice.triggers WHERE id = ${id}`;
  return row;
}

const historyOf = (id: string) =>
  store.sql`SELECT state, note FROM sluice.trigger_history WHERE trigger_id = ${id} AND actor = 'worker' ORDER BY at, id`;

describe("what was judged is done by the state that a trigger has by then (rules 23, 27)", () => {
  test("one that was claimed meanwhile keeps its holder, who is asked to stop", async () => {
    const [older, newer] = [await insertProposed(1), await insertProposed(2)];
    const verdicts = await judge();
    expect(verdicts).toEqual([{ triggerId: older, kind: "superseded", newerId: newer }]);
    expect((await claim()).id).toBe(older);
    await applyVerdicts(store, verdicts);
    expect(await stateOf(older)).toEqual({ state: "claimed", cancelRequested: true, message: null });
    expect(await historyOf(older)).toEqual([
      {
        state: "claimed",
        note: `asked its holder to stop: trigger ${newer} is of a newer push to its branch`,
      },
    ]);
  });

  test("one that has ended meanwhile stays as it is, without a line of history", async () => {
    const older = await insertProposed(1);
    await insertProposed(2);
    const verdicts = await judge();
    await finishTrigger(store, { ...(await claim()), result: "succeeded" });
    await applyVerdicts(store, verdicts);
    expect(await stateOf(older)).toMatchObject({ state: "succeeded", cancelRequested: false });
    expect(await historyOf(older)).toEqual([]);
  });

  test("twice is once", async () => {
    const older = await insertProposed(1);
    await insertProposed(2);
    const verdicts = await judge();
    await Promise.all([applyVerdicts(store, verdicts), applyVerdicts(store, verdicts)]);
    await applyVerdicts(store, verdicts);
    expect(await historyOf(older)).toHaveLength(1);
    expect(await judge()).toEqual([]);
  });

  test("a holder that was asked to stop and goes away does not bring its run back", async () => {
    const older = await insertProposed(1);
    await claim();
    await insertProposed(2);
    await applyVerdicts(store, await judge());
    await store.sql`UPDATE sluice.triggers SET lease_expires_at = now() WHERE id = ${older}`;
    await expireLeases(store);
    expect(await stateOf(older)).toMatchObject({ state: "canceled" });
    expect(await judge()).toEqual([]);
  });
});

describe("the triggers of a branch", () => {
  test("are those that may be ended, and the latest of each target; not those of other branches", async () => {
    const ids = [await insertProposed(1), await insertProposed(2), await insertProposed(3)];
    await insertTrigger(store, { targetId, position: 4, runType: "proposed", refName: "other" });
    await store.sql`UPDATE sluice.triggers SET state = 'succeeded' WHERE id IN (${ids[0] ?? ""}, ${ids[2] ?? ""})`;
    const branch = await listFeature();
    expect(branch?.triggers.toSorted((a, b) => a.position - b.position)).toMatchObject([
      { id: ids[1], targetId, runType: "proposed", position: 2, standing: "unclaimed" },
      { id: ids[2], targetId, runType: "proposed", position: 3, standing: "settled" },
    ]);
  });

  test("are found however many pushes came after them while somebody has them (rule 27)", async () => {
    const oldest = await insertProposed(1);
    expect((await claim()).id).toBe(oldest);
    for (let sequence = 2; sequence <= 40; sequence += 1) {
      await insertPush(store, { targetId, sequence, refName: "feature" });
    }
    expect((await listFeature())?.triggers).toMatchObject([{ id: oldest, standing: "held" }]);
  });

  test("come with the latest deletion that is decided, and is not told again", async () => {
    await insertProposed(1);
    const events = [];
    for (const sequence of [2, 3, 4, 5]) {
      events.push(
        await insertPush(store, { targetId, sequence, refName: "feature", isDecided: sequence < 4 }),
      );
    }
    await store.sql`UPDATE sluice.events SET change = 'deleted', new_sha = NULL, told_again = sequence = 3
                    WHERE repository_id = ${repositoryId} AND sequence BETWEEN 2 AND 4`;
    expect((await listFeature())?.deletion).toEqual({ position: 2, eventId: events[0] });
    const deciding = await listBranchTriggers(store, [ofOurs("feature")], [events[1] ?? "", events[2] ?? ""]);
    expect([...deciding.values()]).toMatchObject([{ deletion: { position: 4, eventId: events[2] } }]);
  });

  test("are not looked for where every target tracks the branch and none coalesces", async () => {
    const main = ofOurs("main");
    await insertTrigger(store, { targetId, position: 1 });
    expect(await listBranchTriggers(store, [main], [])).toEqual(new Map());
    await store.sql`UPDATE sluice.targets SET coalesce = true WHERE id = ${targetId}`;
    expect([...(await listBranchTriggers(store, [main], [])).values()]).toMatchObject([
      { coalescing: [targetId], isCertain: true, deletion: null, triggers: [{ runType: "tracked" }] },
    ]);
  });
});
