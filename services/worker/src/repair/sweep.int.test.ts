import { AppError } from "@sluice/domain/app-error";
import { createTestDatabase } from "@sluice/embedded/test-database";
import type { DeliveriesPayload } from "@sluice/queue/delivery-codec";
import { type Bitbucket, createBitbucket } from "@sluice/simulator/bitbucket";
import type { Repository } from "@sluice/simulator/repository";
import { DEFAULT_CREDENTIALS } from "@sluice/simulator/rest-auth";
import { type BitbucketServer, startBitbucketServer } from "@sluice/simulator/rest-server";
import { findDeliveryReport } from "@sluice/store/delivery-reports";
import { migrateStore } from "@sluice/store/migrate";
import { requestSweeps } from "@sluice/store/sweeps";
import { listTriggerRecords } from "@sluice/store/trigger-records";
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from "vitest";

import { BRANCH, startTestSweep, type TestSweep } from "./test-sweep.ts";

let sweeps: TestSweep;
let bitbucket: Bitbucket;
let server: BitbucketServer;
let made = 0;

beforeAll(async () => {
  bitbucket = createBitbucket({ seed: "sweep" });
  server = await startBitbucketServer({ bitbucket });
  sweeps = await startTestSweep(
    await createTestDatabase({ serverUrl: inject("postgresUrl"), migrate: migrateStore, key: "store" }),
    { url: server.url, token: DEFAULT_CREDENTIALS[0]!.token },
  );
});

afterAll(async () => {
  await server.close();
  await sweeps.close();
});

beforeEach(() => sweeps.begin());

const aStack: TestSweep["aStack"] = (...args) => sweeps.aStack(...args);
const aSweep: TestSweep["aSweep"] = (...args) => sweeps.aSweep(...args);
const commitsOf: TestSweep["commitsOf"] = (...args) => sweeps.commitsOf(...args);
const headOf: TestSweep["headOf"] = (...args) => sweeps.headOf(...args);
const listSwept: TestSweep["listSwept"] = (...args) => sweeps.listSwept(...args);
const reportOf: TestSweep["reportOf"] = (...args) => sweeps.reportOf(...args);
const sweepNow: TestSweep["sweepNow"] = (...args) => sweeps.sweepNow(...args);
const tell: TestSweep["tell"] = (...args) => sweeps.tell(...args);

function aRepository(): Repository {
  const repository = bitbucket.createRepository({ workspace: "acme", slug: `swept-${String((made += 1))}` });
  repository.push({ branch: BRANCH, files: { "README.md": "1" } });
  return repository;
}

/** Pushes a commit, and gives the webhook that nobody has sent. */
function push(repository: Repository, options: Parameters<Repository["push"]>[0] = {}) {
  const files = { "main.tf": String((made += 1)) };
  const { webhooks, hash } = repository.push({ branch: BRANCH, files, ...options });
  return { sha: hash, body: JSON.stringify(webhooks[0]?.body) };
}

describe("a push whose webhook never came (rule 34)", () => {
  test("is found, runs once, and says who found it", async () => {
    const repository = aRepository();
    const stack = await aStack(repository);
    await tell(push(repository).body);
    await sweepNow();
    const { sha } = push(repository);
    for (let round = 0; round < 3; round += 1) await sweepNow();
    expect((await commitsOf(stack)).slice(1)).toEqual([sha]);
    expect(await headOf(repository)).toBe(sha);

    const [swept] = await listSwept();
    const report = await findDeliveryReport(sweeps.worker.store, swept?.deliveryId ?? "", {
      kind: "everywhere",
    });
    expect(report).toMatchObject({ source: "sweep", outcome: "events", eventKey: "repo:push" });
    const [trigger] = await sweeps.worker.store.sql<{ id: string }[]>`
      SELECT id FROM sluice.triggers WHERE target_id = ${stack} AND commit_sha = ${sha}`;
    const [record] = await listTriggerRecords(sweeps.worker.store, [trigger?.id ?? ""]);
    expect(record?.delivery.source).toBe("sweep");
    expect(record?.event.commit).toMatchObject({ sha, date: expect.any(String) as string });
  });

  test("and comes after all, is the same push", async () => {
    const repository = aRepository();
    const stack = await aStack(repository);
    await sweepNow();
    const missed = push(repository);
    await sweepNow();
    await tell(missed.body);
    expect(await commitsOf(stack)).toEqual([missed.sha]);
    const next = push(repository);
    await tell(next.body);
    await sweepNow();
    expect(await commitsOf(stack)).toEqual([missed.sha, next.sha]);
  });

  test.each([
    [0, 1, 2],
    [2, 1, 0],
    [1, 2, 0],
    [2, 0, 1],
  ])(
    "of several, the last one runs; the others take their places before it when they come: %i, %i, %i",
    async (...order) => {
      const repository = aRepository();
      const stack = await aStack(repository);
      await sweepNow();
      const missed = [push(repository), push(repository), push(repository)];
      await sweepNow();
      expect(await commitsOf(stack)).toEqual([missed[2]?.sha]);
      await tell(...order.map((place) => missed[place]?.body ?? ""));
      expect(await commitsOf(stack)).toEqual(missed.map(({ sha }) => sha));
      expect(await headOf(repository)).toBe(missed[2]?.sha);
    },
  );

  test("once handed out, is not followed by an older one (rule 14)", async () => {
    const repository = aRepository();
    const stack = await aStack(repository);
    await sweepNow();
    const missed = [push(repository), push(repository)];
    await sweepNow();
    await sweeps.worker.store
      .sql`UPDATE sluice.triggers SET attempt = 1, state = 'succeeded' WHERE target_id = ${stack}`;
    await tell(...missed.map(({ body }) => body));
    expect(await commitsOf(stack)).toEqual([missed[1]?.sha]);
  });

  test("made a branch, or deleted it", async () => {
    const repository = aRepository();
    const stack = await aStack(repository, "network", { trackedBranch: "release" });
    await sweepNow();
    expect(await headOf(repository, "release")).toBeNull();
    const { sha } = push(repository, { branch: "release" });
    await sweepNow();
    expect(await commitsOf(stack)).toEqual([sha]);
    repository.deleteBranch("release");
    await sweepNow();
    expect(await headOf(repository, "release")).toBeNull();
    expect((await listSwept())[0]).toMatchObject({ reason: "branch_deleted", targetId: stack });
    const again = push(repository, { branch: "release" });
    await sweepNow();
    expect(await commitsOf(stack)).toEqual([sha, again.sha]);
  });

  test("went back to a commit that ran before", async () => {
    const repository = aRepository();
    const stack = await aStack(repository);
    const [first, second] = [push(repository), push(repository)];
    await tell(first.body, second.body);
    await sweepNow();
    repository.push({ branch: BRANCH, from: first.sha, force: true });
    await sweepNow();
    expect(await commitsOf(stack)).toEqual([first.sha, second.sha, first.sha]);
  });

  test("is found once by sweeps that run at the same time", async () => {
    const repositories = Array.from({ length: 12 }, () => aRepository());
    const stacks = await Promise.all(
      repositories.map((repository, place) => aStack(repository, `network-${String(place)}`)),
    );
    await sweepNow();
    const missed = repositories.map((repository) => push(repository).sha);
    await requestSweeps(sweeps.worker.store, { repository: null, notSweptForMs: 0 });
    await Promise.all([aSweep()(), aSweep()(), aSweep()()]);
    await sweeps.worker.handleEvents(sweeps.asking);
    expect(await Promise.all(stacks.map(commitsOf))).toEqual(missed.map((sha) => [sha]));
    expect(await listSwept()).toHaveLength(12);
  });

  test("is one delivery when the sweep dies before it has noted what it did", async () => {
    const repository = aRepository();
    const stack = await aStack(repository);
    await sweepNow();
    const { sha } = push(repository);
    const dying = aSweep({
      deliveries: {
        add: async (payload) => {
          await sweeps.worker.take(payload, sweeps.asking);
          throw new AppError("queue_unavailable", "died");
        },
      },
    });
    await sweepNow(dying);
    await sweepNow();
    expect(await commitsOf(stack)).toEqual([sha]);
    expect(await listSwept()).toHaveLength(1);
  });
});

test("a push whose webhooks come while it is in the queue runs once", async () => {
  const repository = aRepository();
  const stack = await aStack(repository);
  await sweepNow();
  const missed = [push(repository), push(repository)];
  const queued: DeliveriesPayload[] = [];
  const add = (payload: DeliveriesPayload) => Promise.resolve(String(queued.push(payload)));
  await sweepNow(aSweep({ deliveries: { add } }));
  await tell(...missed.map(({ body }) => body));
  for (const payload of queued) await sweeps.worker.take(payload, sweeps.asking);
  await sweeps.worker.handleEvents(sweeps.asking);
  expect(queued).toHaveLength(1);
  expect(await commitsOf(stack)).toEqual(missed.map(({ sha }) => sha));
  expect(await listSwept()).toMatchObject([{ reason: "duplicate" }]);
});

describe("what only looks like a missed push", () => {
  const GRACE_MS = 60_000;
  const graceEnds = () =>
    sweeps.worker.store
      .sql`UPDATE sluice.sweep_suspicions SET since = since - ${GRACE_MS} * interval '1 millisecond'`;

  test("is waited for, and looked at again after the grace", async () => {
    const repository = aRepository();
    const stack = await aStack(repository);
    const patient = aSweep({ graceMs: GRACE_MS });
    await sweepNow(patient);
    const { sha } = push(repository);
    for (let round = 0; round < 2; round += 1) await sweepNow(patient);
    expect(await commitsOf(stack)).toEqual([]);
    expect(await reportOf(repository)).toMatchObject({ found: 0, suspected: 1 });
    const [row] = await sweeps.worker.store.sql<{ inMs: number }[]>`
      SELECT extract(epoch FROM due_at - now())::float8 * 1000 AS in_ms FROM sluice.repository_sweeps
      WHERE due_at IS NOT NULL`;
    expect(row?.inMs).toBeLessThanOrEqual(GRACE_MS);
    await graceEnds();
    await sweepNow(patient);
    expect(await commitsOf(stack)).toEqual([sha]);
    expect(await reportOf(repository)).toMatchObject({ found: 1 });
  });

  test("has its webhook within the grace", async () => {
    const repository = aRepository();
    const stack = await aStack(repository);
    const patient = aSweep({ graceMs: GRACE_MS });
    await sweepNow(patient);
    const { sha, body } = push(repository);
    await sweepNow(patient);
    await tell(body);
    await graceEnds();
    await sweepNow(patient);
    expect(await commitsOf(stack)).toEqual([sha]);
    expect(await listSwept()).toEqual([]);
    expect(await reportOf(repository)).toMatchObject({ suspected: 0 });
  });

  test("moves on, and is waited for anew", async () => {
    const repository = aRepository();
    await aStack(repository);
    const patient = aSweep({ graceMs: GRACE_MS });
    await sweepNow(patient);
    push(repository);
    await sweepNow(patient);
    await graceEnds();
    push(repository);
    await sweepNow(patient);
    expect(await listSwept()).toEqual([]);
  });

  test("may be among the webhooks that wait in the queue", async () => {
    const repository = aRepository();
    await aStack(repository);
    await sweepNow();
    push(repository);
    // A look again after half a minute is not due yet.
    await sweepNow(aSweep({ deliveryAgeMs: () => Promise.resolve(40_000) }));
    expect(await listSwept()).toEqual([]);
    expect(await reportOf(repository)).toMatchObject({ found: 0, suspected: 1 });
  });
});
