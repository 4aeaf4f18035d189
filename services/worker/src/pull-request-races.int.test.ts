/** Two workers on the events of pull requests at the same time: each is decided once, and runs once (rules 13, 22, 26). */
import { createTestDatabase } from "@sluice/embedded/test-database";
import { createBitbucket } from "@sluice/simulator/bitbucket";
import type { Repository } from "@sluice/simulator/repository";
import { DEFAULT_CREDENTIALS } from "@sluice/simulator/rest-auth";
import { type BitbucketServer, startBitbucketServer } from "@sluice/simulator/rest-server";
import type { WebhookEvent } from "@sluice/simulator/webhook-delivery";
import { openStore, type Store } from "@sluice/store/client";
import { migrateStore } from "@sluice/store/migrate";
import { lockRepositories } from "@sluice/store/repositories";
import { withTransaction } from "@sluice/store/transaction";
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from "vitest";

import type { Pipeline } from "./pipeline.ts";
import { startTestSweep, type TestSweep } from "./repair/test-sweep.ts";

const bitbucket = createBitbucket({ seed: "races" });
let server: BitbucketServer;
/** What the two workers share, and a third. */
let shared: TestSweep;
let stores: readonly Store[];
let workers: readonly [Pipeline, Pipeline];
let repository: Repository;
let made = 0;

beforeAll(async () => {
  server = await startBitbucketServer({ bitbucket });
  shared = await startTestSweep(
    await createTestDatabase({ serverUrl: inject("postgresUrl"), migrate: migrateStore, key: "store" }),
    { url: server.url, token: DEFAULT_CREDENTIALS[0]!.token },
  );
  const client = shared.clientWith({
    take: () => Promise.resolve({ granted: true }),
    learn: () => Promise.resolve(),
  });
  const aStore = (applicationName: string) =>
    openStore({ url: shared.worker.databaseUrl, maxConnections: 4, applicationName });
  const [one, other] = [aStore("one"), aStore("other")];
  stores = [one, other];
  workers = [shared.worker.newPipeline(one, client, 1_000), shared.worker.newPipeline(other, client, 1_000)];
});

afterAll(async () => {
  await Promise.all(workers.map((worker) => worker.drain()));
  await Promise.all(stores.map((store) => store.close()));
  await server.close();
  await shared.close();
});

beforeEach(async () => {
  await shared.begin();
  repository = bitbucket.createRepository({ workspace: "acme", slug: `races-${String((made += 1))}` });
});

const aPush = (branch: string) => ({ branch, files: { [`network/${String((made += 1))}.tf`]: "1" } });

const toDelivery = ({ eventKey, body }: WebhookEvent) =>
  shared.worker.aDelivery("", { eventKey, body: Buffer.from(JSON.stringify(body)), hookId: "the one hook" });

const record = (webhooks: readonly WebhookEvent[], by: Pipeline) =>
  shared.worker.handle(webhooks.map(toDelivery), by);

async function listUndecided(): Promise<readonly string[]> {
  const rows = await shared.worker.store.sql<{ id: string }[]>`
    SELECT events.id FROM sluice.events JOIN sluice.deliveries ON deliveries.id = delivery_id
    WHERE integration_id = ${shared.worker.integrationId()} AND decided_at IS NULL ORDER BY sequence`;
  return rows.map(({ id }) => id);
}

const runJob = (eventId: string, by: Pipeline) =>
  by.handleEvent({
    payload: { v: 1, eventId },
    jobId: eventId,
    attempt: 1,
    enqueuedAt: new Date(),
    signal: new AbortController().signal,
  });

const idOf = async ({ uuid }: Repository) => {
  const [row] = await shared.worker.store.sql<{ id: string }[]>`
    SELECT id FROM sluice.repositories WHERE integration_id = ${shared.worker.integrationId()} AND uuid = ${uuid}`;
  return row!.id;
};

/** How many transactions of the two workers stand before a lock that somebody else has. */
async function countWaiting(): Promise<number> {
  const [row] = await shared.worker.store.sql<[{ count: number }]>`
    SELECT count(*)::int AS count FROM pg_stat_activity
    WHERE datname = current_database() AND application_name IN ('one', 'other')
      AND cardinality(pg_blocking_pids(pid)) > 0`;
  return row.count;
}

/** Starts work while repositories are locked, lets go when so many transactions wait, and waits for the work. */
async function startTogether<T>(
  lockedIds: readonly string[],
  work: () => readonly Promise<T>[],
  whileWaiting: () => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  let started: readonly Promise<T>[] = [];
  await withTransaction(shared.worker.store, async (tx) => {
    await lockRepositories(tx, lockedIds);
    started = work();
    await expect.poll(countWaiting).toBe(workers.length);
    await whileWaiting();
  });
  await Promise.all(started);
}

async function readDecisions() {
  const rows = await shared.worker.store.sql<{ line: string }[]>`
    SELECT coalesce(action, change) || ': ' || reason AS line
    FROM sluice.events JOIN sluice.deliveries ON deliveries.id = delivery_id
    LEFT JOIN sluice.decisions ON event_id = events.id
    WHERE integration_id = ${shared.worker.integrationId()} ORDER BY events.sequence`;
  return rows.map(({ line }) => line);
}

const runsOf = async (stack: string) =>
  (await shared.worker.triggersOf(stack)).map(
    ({ runType, commitSha, state }) => `${String(runType)} ${String(commitSha)} ${String(state)}`,
  );

test("that resolve the same events decide each once, and its run is made once, and linked once", async () => {
  const stack = await shared.aStack(repository);
  await record(repository.push(aPush("main")).webhooks, shared.asking);
  const { hash } = repository.push(aPush("feature"));
  const pull = repository.openPullRequest({ title: "Wider", source: "feature" });
  await record([...pull.webhooks, ...pull.approve(bitbucket.createUser("Ada")).webhooks], shared.asking);
  const ids = await listUndecided();
  expect(ids).toHaveLength(2);
  // Each worker has one transaction under way, and its other event waits for that.
  await startTogether([await idOf(repository)], () =>
    workers.flatMap((worker) => ids.map((id) => runJob(id, worker))),
  );
  const reasons = (await readDecisions()).map((line) => line.split(": ")[1] ?? "");
  // Of the push, and of the two reports: whichever is written first makes the run.
  expect(reasons.toSorted()).toEqual(["duplicate", "triggered", "triggered"]);
  expect((await runsOf(stack)).filter((run) => run.startsWith("proposed"))).toEqual([
    `proposed ${hash} queued`,
  ]);
  const links = await shared.worker.store.sql`
    SELECT number FROM sluice.commit_pull_requests WHERE commit_sha = ${hash}`;
  expect(links).toEqual([{ number: pull.id }]);
});

test("of which one has the merge and the other its push run the merge commit once (rule 22)", async () => {
  const stack = await shared.worker.aStack("network", {
    repository: repository.fullName,
    projectRoot: "network",
  });
  for (const branch of ["main", "feature"]) {
    await record(repository.push(aPush(branch)).webhooks, shared.asking);
  }
  const pull = repository.openPullRequest({ title: "Wider", source: "feature" });
  await record(pull.webhooks, shared.asking);
  await shared.worker.handleEvents(shared.asking);
  const { hash, webhooks } = pull.merge();
  const isMerge = ({ eventKey }: WebhookEvent) => eventKey === "pullrequest:fulfilled";
  const told = [webhooks.filter(isMerge), webhooks.filter((webhook) => !isMerge(webhook))];
  await startTogether([await idOf(repository)], () =>
    workers.map((worker, place) => record(told[place]!, worker)),
  );
  // The merge waits for its push to be decided, and then repeats its decisions.
  await expect
    .poll(async () => {
      const ids = await listUndecided();
      await Promise.allSettled(workers.flatMap((worker) => ids.map((id) => runJob(id, worker))));
      return listUndecided();
    })
    .toEqual([]);
  expect((await runsOf(stack)).filter((run) => run.includes(hash))).toEqual([`tracked ${hash} queued`]);
  expect(await readDecisions()).toContain("merged: duplicate");
});

describe("of which one has a pull request from a fork, and the other one to it,", () => {
  /** A repository and its fork, each with a pull request from the other: their events name the two the other way round. */
  async function crossing() {
    repository.push(aPush("main"));
    const fork = bitbucket.fork(repository, { workspace: `grace-${String(made)}` });
    const both = [repository, fork];
    for (const one of both) {
      await shared.aStack(one, `network-${one.uuid}`);
      one.push(aPush("feature"));
    }
    const pulls = both.map((one, place) =>
      one.openPullRequest({ title: "Wider", source: "feature", from: both[1 - place]! }),
    );
    return { both, pulls };
  }

  /** The ids in the order in which everybody locks them. */
  const inOrder = async (both: readonly Repository[]) =>
    (await Promise.all(both.map(idOf))).toSorted((a, b) => (a < b ? -1 : 1));

  const isFree = async (id: string) =>
    (
      await shared.worker.store.sql`
        SELECT FROM sluice.repositories WHERE id = ${id} FOR NO KEY UPDATE SKIP LOCKED`
    ).length === 1;

  test("both lock the same repository first: neither has what the other waits for", async () => {
    const { both, pulls } = await crossing();
    for (const { webhooks } of pulls) await record(webhooks, shared.asking);
    const [first, second] = await inOrder(both);
    const approvals = pulls.map((pull) => pull.approve(bitbucket.createUser("Ada")).webhooks);
    await startTogether(
      [first!],
      () => workers.map((worker, place) => record(approvals[place]!, worker)),
      async () => expect(await isFree(second!)).toBe(true),
    );
    const ids = await listUndecided();
    expect(ids).toHaveLength(4);
    await Promise.all(workers.flatMap((worker) => ids.map((id) => runJob(id, worker))));
    expect((await readDecisions()).toSorted()).toEqual([
      "approved: fork_not_allowed",
      "approved: fork_not_allowed",
      "opened: fork_not_allowed",
      "opened: fork_not_allowed",
    ]);
  });

  test("also when what they write is of both repositories, in whatever order it was decided", async () => {
    const { both, pulls } = await crossing();
    for (const { webhooks } of pulls) await record(webhooks, shared.asking);
    const [first, second] = await inOrder(both);
    const orders = [
      [first!, second!],
      [second!, first!],
    ];
    await startTogether(
      [first!],
      () =>
        stores.map((store, place) => withTransaction(store, (tx) => lockRepositories(tx, orders[place]!))),
      async () => expect(await isFree(second!)).toBe(true),
    );
  });
});

test("a push to 600 stacks is written beside others: one of another repository does not wait for it (rule 30)", async () => {
  const [worker] = workers;
  const [large, small] = [
    repository,
    bitbucket.createRepository({ workspace: "acme", slug: `small-${String(made)}` }),
  ];
  for (const one of [large, small]) await record(one.push(aPush("main")).webhooks, shared.asking);
  await shared.worker.aStack("network", { repository: small.fullName, projectRoot: "network" });
  for (let nr = 0; nr < 600; nr += 1) {
    const name = `network-${String(nr)}`;
    await shared.worker.aStack(name, { repository: large.fullName, projectRoot: "network" });
  }
  for (const one of [large, small]) await record(one.push(aPush("main")).webhooks, worker);
  const [ofLarge, ofSmall] = await listUndecided();
  let written: Promise<void> | undefined;
  await withTransaction(shared.worker.store, async (tx) => {
    await lockRepositories(tx, [await idOf(large)]);
    written = runJob(ofLarge!, worker);
    await expect.poll(countWaiting).toBe(1);
    await runJob(ofSmall!, worker);
    expect(await listUndecided()).toEqual([ofLarge]);
  });
  await written;
  const reasons = await readDecisions();
  expect(reasons.filter((line) => line === "updated: triggered")).toHaveLength(601);
});
