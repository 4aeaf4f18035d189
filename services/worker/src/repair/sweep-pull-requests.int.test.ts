import { AppError } from "@sluice/domain/app-error";
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
  bitbucket = createBitbucket({ seed: "swept pull requests" });
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

const sweepNow: TestSweep["sweepNow"] = (...args) => sweeps.sweepNow(...args);
const tell: TestSweep["tell"] = (...args) => sweeps.tell(...args);

function aRepository(): Repository {
  const slug = `pull-requests-${String((made += 1))}`;
  const repository = bitbucket.createRepository({ workspace: "acme", slug });
  repository.push({ branch: BRANCH, files: { "README.md": "1" } });
  return repository;
}

/** A repository whose stack has been swept before anything happened. */
async function aSweptRepository() {
  const repository = aRepository();
  const stack = await sweeps.aStack(repository);
  await sweepNow();
  return { repository, stack };
}

/** Pushes a commit to a branch of its own, or to `branch`. */
function push(repository: Repository, branch = `feature-${String((made += 1))}`) {
  const isNew = !repository.state.branches.has(branch);
  const files = { "main.tf": String((made += 1)) };
  const { hash } = repository.push({ branch, files, ...(isNew ? { from: BRANCH } : {}) });
  return { branch, sha: hash };
}

/** Opens a pull request, of which nobody has told yet. */
function open(repository: Repository, from: Repository = repository) {
  const { branch, sha } = push(from);
  const fork = from === repository ? {} : { from };
  const pull = repository.openPullRequest({
    title: "Widen it",
    source: branch,
    destination: BRANCH,
    ...fork,
  });
  return { pull, branch, sha, opened: pull.webhooks[0]! };
}

/** The deliveries that sweeps made of pull requests, in their order. */
async function listTold(): Promise<string[]> {
  const rows = await sweeps.worker.store.sql<{ eventKey: string }[]>`
    SELECT event_key FROM sluice.deliveries
    WHERE integration_id = ${sweeps.worker.integrationId()} AND source = 'sweep' AND event_key <> 'repo:push'
    ORDER BY recorded_at, id`;
  return rows.map(({ eventKey }) => eventKey.replace("pullrequest:", ""));
}

/** What became of the pull requests that sweeps told, in their order. */
async function listReasons(stack: string): Promise<string[]> {
  const rows = await sweeps.worker.store.sql<{ reason: string }[]>`
    SELECT reason FROM sluice.decisions
    JOIN sluice.events ON events.id = event_id JOIN sluice.deliveries ON deliveries.id = delivery_id
    WHERE source = 'sweep' AND kind = 'pull_request' AND target_id = ${stack} ORDER BY events.sequence`;
  return rows.map(({ reason }) => reason);
}

async function stored(repository: Repository, number: number) {
  const [row] = await sweeps.worker.store.sql<Record<string, unknown>[]>`
    SELECT state, source_sha, reviews FROM sluice.pull_requests
    JOIN sluice.repositories ON repositories.id = repository_id
    WHERE integration_id = ${sweeps.worker.integrationId()} AND uuid = ${repository.uuid} AND number = ${number}`;
  return row;
}

describe("a pull request of which no webhook told (rule 34)", () => {
  test("is told as opened and runs once; its webhook is the same", async () => {
    const { repository, stack } = await aSweptRepository();
    const { pull, sha, opened } = open(repository);
    pull.approve(bitbucket.createUser("Bea Example"));
    await sweepNow();
    expect(await sweeps.reportOf(repository)).toMatchObject({ found: 1, suspected: 0, failure: null });
    await sweepNow();
    expect(await sweeps.reportOf(repository)).toMatchObject({ found: 0 });
    expect(await listTold()).toEqual(["created"]);
    expect(await stored(repository, pull.id)).toMatchObject({
      state: "OPEN",
      // Lists leave the reviews out.
      reviews: [{ state: "approved" }],
    });
    await tell(opened);
    expect(await sweeps.commitsOf(stack)).toEqual([sha]);
  });

  test("has moved on: its new head runs", async () => {
    const { repository, stack } = await aSweptRepository();
    const { pull, branch, sha, opened } = open(repository);
    await tell(opened);
    const moved = push(repository, branch);
    await sweepNow();
    await sweepNow();
    expect(await listTold()).toEqual(["updated"]);
    expect(await sweeps.commitsOf(stack)).toEqual([sha, moved.sha]);
    expect(moved.sha).toContain((await stored(repository, pull.id))?.["sourceSha"]);
  });

  test("comes from a fork", async () => {
    const { repository } = await aSweptRepository();
    const fork = bitbucket.fork(repository, { workspace: `ann-${String((made += 1))}` });
    fork.push({ branch: BRANCH, files: { "README.md": "2" } });
    open(repository, fork);
    await sweepNow();
    await sweepNow();
    expect(await listTold()).toEqual(["created"]);
  });

  test("was declined: what is queued for it ends (rule 22)", async () => {
    const { repository, stack } = await aSweptRepository();
    const { pull, opened } = open(repository);
    await tell(opened);
    pull.decline();
    await sweepNow();
    await sweepNow();
    expect(await listTold()).toEqual(["rejected"]);
    expect(await stored(repository, pull.id)).toMatchObject({ state: "DECLINED" });
    expect(await sweeps.worker.triggersOf(stack)).toMatchObject([{ state: "canceled" }]);
  });

  test("was merged: the merge commit runs once (rule 22)", async () => {
    const { repository, stack } = await aSweptRepository();
    const { pull, sha, opened } = open(repository);
    await tell(opened);
    const { hash } = pull.merge();
    await sweepNow();
    await sweepNow();
    expect(await listTold()).toEqual(["fulfilled"]);
    expect(await stored(repository, pull.id)).toMatchObject({ state: "MERGED" });
    expect(await sweeps.worker.triggersOf(stack)).toMatchObject([
      { runType: "proposed", commitSha: sha },
      { runType: "tracked", commitSha: hash },
    ]);
  });

  test("is found once by sweeps that run at the same time, and by one that dies after it told", async () => {
    const { repository } = await aSweptRepository();
    for (let count = 0; count < 5; count += 1) open(repository);
    const dying = sweeps.aSweep({
      deliveries: {
        add: async (payload) => {
          await sweeps.worker.take(payload, sweeps.asking);
          throw new AppError("queue_unavailable", "died");
        },
      },
    });
    await sweepNow(dying);
    await requestSweeps(sweeps.worker.store, { repository: null, notSweptForMs: 0 });
    await Promise.all([sweeps.aSweep()(), sweeps.aSweep()()]);
    await sweepNow();
    expect(await listTold()).toEqual(Array.from({ length: 5 }, () => "created"));
  });
});

describe("nothing is told of a pull request", () => {
  test("that was only talked about, or whose destination moved on", async () => {
    const { repository } = await aSweptRepository();
    const { pull, opened } = open(repository);
    await tell(opened);
    push(repository, BRANCH);
    const bea = bitbucket.createUser("Bea Example");
    pull.comment(bea, "Nice");
    pull.approve(bea);
    server.clearCalls();
    await sweepNow();
    expect(await listTold()).toEqual([]);
    expect(server.countCalls("GET *pullrequests/*")).toBe(0);
  });

  test("whose webhook may be on its way, or in the queue", async () => {
    const { repository } = await aSweptRepository();
    const { pull } = open(repository);
    const since2026 = Date.now() - Date.UTC(2026, 0, 1);
    await sweepNow(sweeps.aSweep({ graceMs: since2026 }));
    expect(await sweeps.reportOf(repository)).toMatchObject({ found: 0 });
    const [due] = await sweeps.worker.store.sql<{ isDue: boolean }[]>`
      SELECT due_at IS NOT NULL AS is_due FROM sluice.repository_sweeps`;
    expect(due?.isDue).toBe(true);
    await sweepNow(sweeps.aSweep({ deliveryAgeMs: () => Promise.resolve(40_000) }));
    expect(await listTold()).toEqual([]);
    await sweepNow();
    expect(await listTold()).toEqual(["created"]);
    expect(await stored(repository, pull.id)).toMatchObject({ state: "OPEN" });
  });
});

describe("pull requests that the first sweep sees (rule 34)", () => {
  test("are told without a call for each, and run nothing; a webhook and a later one do", async () => {
    const repository = aRepository();
    const stack = await sweeps.aStack(repository);
    const { pull, sha, branch } = open(repository);
    open(repository);
    server.clearCalls();
    for (let round = 0; round < 2; round += 1) await sweepNow();
    expect(await listTold()).toEqual(["created", "created"]);
    expect(server.countCalls("GET *pullrequests/*")).toBe(0);
    expect(await listReasons(stack)).toEqual(["baseline", "baseline"]);
    expect(await sweeps.reportOf(repository)).toMatchObject({ found: 0 });
    expect(await sweeps.commitsOf(stack)).toEqual([]);

    await tell(pull.approve(bitbucket.createUser("Bea Example")).webhooks[0]!);
    const later = open(repository);
    await sweepNow();
    const moved = push(repository, branch);
    await sweepNow();
    expect(await sweeps.commitsOf(stack)).toEqual([sha, later.sha, moved.sha]);
  });

  test("are a baseline for the target that is new, or begins anew, and not for the others", async () => {
    const { repository, stack: old } = await aSweptRepository();
    const first = open(repository);
    const joined = await sweeps.aStack(repository, "joined");
    await sweepNow();
    expect(await listReasons(old)).toEqual(["triggered"]);
    expect(await listReasons(joined)).toEqual(["baseline"]);
    await forgetBaselines(sweeps.worker.store, [old]);
    const second = open(repository);
    await sweepNow();
    expect(await sweeps.commitsOf(old)).toEqual([first.sha]);
    expect(await sweeps.commitsOf(joined)).toEqual([second.sha]);
  });

  test("are no baseline when they are over: a decline that was missed is one", async () => {
    const { repository, stack } = await aSweptRepository();
    const { pull, opened } = open(repository);
    await tell(opened);
    pull.decline();
    await forgetBaselines(sweeps.worker.store, [stack]);
    open(repository);
    await sweepNow();
    expect((await listReasons(stack)).toSorted()).toEqual(["baseline", "closed"]);
  });

  test("of 20 repositories, swept twice, run nothing", async () => {
    const stacks: string[] = [];
    for (let place = 0; place < 20; place += 1) {
      const repository = aRepository();
      for (let stack = 0; stack < 5; stack += 1) {
        stacks.push(await sweeps.aStack(repository, `stack-${String(place)}-${String(stack)}`));
      }
      for (let count = 0; count < 3; count += 1) open(repository);
    }
    for (let round = 0; round < 2; round += 1) await sweepNow();
    const [counts] = await sweeps.worker.store.sql`
      SELECT (SELECT count(*) FROM sluice.triggers WHERE target_id = ANY(${stacks}::uuid[]))::int AS triggers,
             (SELECT count(*) FROM sluice.decisions WHERE target_id = ANY(${stacks}::uuid[]) AND reason = 'baseline')::int AS baselines`;
    expect(counts).toEqual({ triggers: 0, baselines: 300 });
  });

  test("after they could not be read, are a baseline again; pushes are recovered all the while", async () => {
    const { repository, stack } = await aSweptRepository();
    const end = server.injectFault("GET *pullrequests*", { kind: "status", status: 403 });
    const { sha } = push(repository, BRANCH);
    open(repository);
    await sweepNow();
    expect(await sweeps.commitsOf(stack)).toEqual([sha]);
    expect(await sweeps.reportOf(repository)).toMatchObject({
      found: 1,
      failure: { code: "bitbucket_forbidden" },
    });
    end();
    await sweepNow();
    expect(await sweeps.reportOf(repository)).toMatchObject({ found: 0, failure: null });
    expect(await listReasons(stack)).toEqual(["baseline"]);
    const later = open(repository);
    await sweepNow();
    expect(await sweeps.commitsOf(stack)).toEqual([sha, later.sha]);
  });
});

test("half of the hour's calls is left to events: what was not told waits for another round", async () => {
  const { repository } = await aSweptRepository();
  for (let count = 0; count < 12; count += 1) open(repository);
  await sweeps.worker.store.sql`
    INSERT INTO sluice.call_budgets (integration_id, calls_per_hour) VALUES (${sweeps.worker.integrationId()}, 20)`;
  const counting = sweeps.clientWith(createCallBudget(sweeps.worker.store));
  server.clearCalls();
  await sweepNow(sweeps.aSweep({ clientOf: () => Promise.resolve(counting) }));
  expect(server.countCalls("GET *pullrequests/*")).toBeGreaterThan(2);
  const told = await listTold();
  expect(told.length).toBeGreaterThan(2);
  expect(told.length).toBeLessThan(12);
  await sweeps.worker.store.sql`TRUNCATE sluice.call_budgets`;
  await sweepNow();
  expect(await listTold()).toHaveLength(12);
});
