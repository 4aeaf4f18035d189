import { createTestDatabase } from "@sluice/embedded/test-database";
import { type Bitbucket, createBitbucket } from "@sluice/simulator/bitbucket";
import type { Repository } from "@sluice/simulator/repository";
import { DEFAULT_CREDENTIALS } from "@sluice/simulator/rest-auth";
import { type BitbucketServer, startBitbucketServer } from "@sluice/simulator/rest-server";
import { createCallBudget } from "@sluice/store/call-budget";
import { migrateStore } from "@sluice/store/migrate";
import { requestSweeps } from "@sluice/store/sweeps";
import { forgetBaselines } from "@sluice/store/swept-branches";
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

describe("baselines (rule 34)", () => {
  test("the first head of a repository that nobody named runs nothing; a webhook and what is missed later do", async () => {
    const repository = aRepository();
    const stack = await aStack(repository);
    for (let round = 0; round < 2; round += 1) await sweepNow();
    expect(await sweeps.worker.triggersOf(stack)).toEqual([]);
    expect(await headOf(repository)).toBe(repository.head(BRANCH));
    const [told, missed] = [push(repository), push(repository)];
    await tell(told.body);
    await sweepNow();
    expect(await commitsOf(stack)).toEqual([told.sha, missed.sha]);
  });

  test("a push that was on its way during the first look runs", async () => {
    const repository = aRepository();
    const stack = await aStack(repository);
    const pushes = [push(repository), push(repository)];
    await sweepNow();
    await tell(...pushes.map(({ body }) => body));
    expect(await commitsOf(stack)).toEqual(pushes.map(({ sha }) => sha));
    expect(await headOf(repository)).toBe(pushes[1]?.sha);
  });

  test("what was missed before the first look is a baseline, until its webhook comes", async () => {
    const repository = aRepository();
    const stack = await aStack(repository);
    const [told, missed] = [push(repository), push(repository)];
    await tell(told.body);
    await sweepNow();
    expect(await commitsOf(stack)).toEqual([told.sha]);
    expect(await listSwept()).toMatchObject([{ reason: "baseline", targetId: stack }]);
    await tell(missed.body);
    expect(await commitsOf(stack)).toEqual([told.sha, missed.sha]);
  });

  test("a target begins where the first look finds it; the others go on", async () => {
    const repository = aRepository();
    const old = await aStack(repository, "old");
    await sweepNow();
    const first = push(repository);
    const joined = await aStack(repository, "joined");
    await sweepNow();
    expect([await commitsOf(old), await commitsOf(joined)]).toEqual([[first.sha], []]);
    const second = push(repository);
    await sweepNow();
    expect([await commitsOf(old), await commitsOf(joined)]).toEqual([[first.sha, second.sha], [second.sha]]);
    // Back to where it began is no beginning.
    repository.push({ branch: BRANCH, from: first.sha, force: true });
    await sweepNow();
    expect(await commitsOf(joined)).toEqual([second.sha, first.sha]);
  });

  test("a head that follows the first one before that is known runs", async () => {
    const repository = aRepository();
    const stack = await aStack(repository);
    await tell(push(repository).body);
    push(repository);
    await sweepNow(aSweep({ graceMs: 60_000 }));
    const { sha } = push(repository);
    await sweepNow();
    expect((await commitsOf(stack)).slice(1)).toEqual([sha]);
  });

  test("a target that was switched, or forgotten for another reason, begins anew", async () => {
    const repository = aRepository();
    const stack = await aStack(repository);
    await sweepNow();
    await sweeps.worker.store.sql`UPDATE sluice.targets SET enabled = false WHERE id = ${stack}`;
    await forgetBaselines(sweeps.worker.store, [stack]);
    push(repository);
    await sweeps.worker.store.sql`UPDATE sluice.targets SET enabled = true WHERE id = ${stack}`;
    await sweepNow();
    expect(await listSwept()).toMatchObject([{ reason: "baseline" }]);
    const { sha } = push(repository);
    await sweepNow();
    expect(await commitsOf(stack)).toEqual([sha]);
  });

  test.each([401, 403, 404] as const)(
    "a repository that could not be read (%i) begins anew",
    async (status) => {
      const repository = aRepository();
      const stack = await aStack(repository);
      await sweepNow();
      const end = server.injectFault("GET *", { kind: "status", status });
      await sweepNow();
      expect(await reportOf(repository)).toMatchObject({
        failure: { code: expect.stringMatching(/^bitbucket_/) as string },
      });
      end();
      push(repository);
      await sweepNow();
      expect(await commitsOf(stack)).toEqual([]);
      expect(await reportOf(repository)).toMatchObject({ failure: null });
      const { sha } = push(repository);
      await sweepNow();
      expect(await commitsOf(stack)).toEqual([sha]);
    },
  );

  test("20 repositories with 100 stacks, swept twice, run nothing", async () => {
    const repositories = Array.from({ length: 20 }, () => aRepository());
    for (const [place, repository] of repositories.entries()) {
      for (let stack = 0; stack < 5; stack += 1) {
        await aStack(repository, `stack-${String(place)}-${String(stack)}`);
      }
    }
    for (let round = 0; round < 2; round += 1) await sweepNow();
    const [counts] = await sweeps.worker.store.sql`
      SELECT (SELECT count(*) FROM sluice.deliveries WHERE integration_id = ${sweeps.worker.integrationId()})::int AS deliveries,
             (SELECT count(*) FROM sluice.triggers JOIN sluice.repositories ON repositories.id = repository_id
              WHERE integration_id = ${sweeps.worker.integrationId()})::int AS triggers,
             (SELECT count(*) FROM sluice.sweep_baselines JOIN sluice.targets ON targets.id = target_id
              WHERE integration_id = ${sweeps.worker.integrationId()} AND branch = ${BRANCH})::int AS baselines`;
    expect(counts).toEqual({ deliveries: 0, triggers: 0, baselines: 100 });
  });
});

describe("calls to Bitbucket", () => {
  test("are one for each branch, whatever the number of its targets, one for the pull requests, and one for a repository that is new", async () => {
    const repository = aRepository();
    for (const name of ["one", "two", "three"]) await aStack(repository, name);
    await aStack(repository, "four", { trackedBranch: "release" });
    repository.push({ branch: "release", files: { "main.tf": "1" } });
    server.clearCalls();
    await sweepNow();
    expect(server.calls.map(({ path }) => path.split("/").at(-1))).toEqual([
      expect.stringMatching(/^swept-/),
      "main",
      "release",
      "pullrequests",
    ]);
    server.clearCalls();
    await sweepNow();
    expect(server.calls).toHaveLength(3);
  });

  test("leave half of the hour's limit to events", async () => {
    const repositories = Array.from({ length: 8 }, () => aRepository());
    for (const [place, repository] of repositories.entries())
      await aStack(repository, `stack-${String(place)}`);
    await sweeps.worker.store.sql`
      INSERT INTO sluice.call_budgets (integration_id, calls_per_hour) VALUES (${sweeps.worker.integrationId()}, 20)`;
    const counting = sweeps.clientWith(createCallBudget(sweeps.worker.store));
    server.clearCalls();
    await sweepNow(aSweep({ clientOf: () => Promise.resolve(counting) }));
    expect(server.calls.length).toBeGreaterThan(8);
    expect(server.calls.length).toBeLessThanOrEqual(11);
    const reports = await Promise.all(repositories.map(reportOf));
    expect(reports.filter((report) => report?.sweptAt === null).length).toBeGreaterThan(0);
    expect(reports.filter((report) => report?.failure !== null)).toEqual([]);
  });

  test.each([
    ["an outage", { kind: "status", status: 503 }],
    ["a limit", { kind: "rate_limited" }],
  ] as const)("end with %s: nothing fails, and nothing begins anew", async (_, fault) => {
    const repository = aRepository();
    const stack = await aStack(repository);
    await sweepNow();
    const { sha } = push(repository);
    const end = server.injectFault("GET *", fault);
    await sweepNow();
    end();
    expect(await reportOf(repository)).toMatchObject({ failure: null });
    await sweepNow();
    expect(await commitsOf(stack)).toEqual([sha]);
  });

  test("are made for those that are due: by the schedule, or because somebody asks", async () => {
    const repository = aRepository();
    await aStack(repository);
    server.clearCalls();
    await aSweep({ intervalMs: null })();
    expect(server.calls).toEqual([]);
    await aSweep()();
    await aSweep()();
    expect(server.countCalls("GET *refs/branches*")).toBe(1);
    await requestSweeps(sweeps.worker.store, {
      repository: repository.fullName.toUpperCase(),
      notSweptForMs: 0,
    });
    await aSweep({ intervalMs: null })();
    expect(server.countCalls("GET *refs/branches*")).toBe(2);
    await sweeps.worker.store
      .sql`UPDATE sluice.repository_sweeps SET swept_at = now() - interval '16 minutes'`;
    await aSweep()();
    expect(server.countCalls("GET *refs/branches*")).toBe(3);
  });
});
