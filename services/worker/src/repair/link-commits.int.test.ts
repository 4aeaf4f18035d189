import { createBitbucketClient } from "@sluice/bitbucket/client";
import { AppError } from "@sluice/domain/app-error";
import { createTestDatabase, type TestDatabase } from "@sluice/embedded/test-database";
import { createLogger } from "@sluice/runtime/logger";
import { type Bitbucket, createBitbucket } from "@sluice/simulator/bitbucket";
import type { Repository } from "@sluice/simulator/repository";
import { DEFAULT_CREDENTIALS } from "@sluice/simulator/rest-auth";
import { type BitbucketServer, startBitbucketServer } from "@sluice/simulator/rest-server";
import { openStore, type Store } from "@sluice/store/client";
import { migrateStore } from "@sluice/store/migrate";
import { insertIntegration, insertStack } from "@sluice/store/test-fixtures";
import { insertTrigger } from "@sluice/store/test-trigger-fixtures";
import { listTriggerRecords } from "@sluice/store/trigger-records";
import { randomUUID } from "node:crypto";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, test } from "vitest";

import { createCommitLinks } from "./link-commits.ts";
import type { LinkOptions } from "./link-commits-pull-request.ts";

let database: TestDatabase;
let store: Store;
let bitbucket: Bitbucket;
let server: BitbucketServer;
let integrationId: string;
let lines: Record<string, unknown>[] = [];
let made = 0;

/** The clock of the simulator is about a year behind. */
const TEN_YEARS_MS = 10 * 365 * 24 * 3_600_000;

beforeAll(async () => {
  bitbucket = createBitbucket({ seed: "links" });
  server = await startBitbucketServer({ bitbucket });
  database = await createTestDatabase({
    serverUrl: inject("postgresUrl"),
    migrate: migrateStore,
    key: "store",
  });
  store = openStore({ url: database.url, maxConnections: 8, applicationName: "test" });
});

afterAll(async () => {
  await server.close();
  await store.close();
  await database.drop();
});

beforeEach(async () => {
  integrationId = randomUUID();
  await insertIntegration(store, {
    id: integrationId,
    slug: `links-${integrationId}`,
    webhookSecretCiphertext: "-",
  });
});

afterEach(async () => {
  await store.sql`
    TRUNCATE sluice.repositories, sluice.triggers, sluice.events, sluice.deliveries, sluice.call_budgets CASCADE`;
  lines = [];
});

/** What another worker, or the same after a start, would do. */
function aRound(options: Partial<LinkOptions> = {}): () => Promise<void> {
  const client = createBitbucketClient({
    baseUrl: server.url,
    credential: { kind: "access_token", token: DEFAULT_CREDENTIALS[0]!.token },
    credentialId: integrationId,
    budget: { take: () => Promise.resolve({ granted: true }), learn: () => Promise.resolve() },
    userAgent: "test",
  });
  const destination = {
    write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>),
  };
  return createCommitLinks({
    store,
    logger: createLogger({ service: "test", level: "info", format: "json", destination }),
    clientOf: () => Promise.resolve(client),
    graceMs: 120_000,
    lagMs: 0,
    signal: new AbortController().signal,
    ...options,
  });
}

function aRepository(): Repository {
  const repository = bitbucket.createRepository({ workspace: "acme", slug: `linked-${String((made += 1))}` });
  repository.push({ branch: "main", files: { "README.md": "1" } });
  return repository;
}

const push = (repository: Repository, branch = "feature") =>
  repository.push({ branch, files: { "main.tf": String((made += 1)) } }).hash;

const open = (repository: Repository, source = "feature", from = repository) =>
  repository.openPullRequest({ title: `From ${source}`, source, from }).id;

/** A proposed trigger of a commit that was pushed to a branch. */
async function aTrigger(repository: Repository, commitSha: string, branch = "feature"): Promise<string> {
  const name = `t-${String((made += 1))}`;
  const targetId = await insertStack(store, { integrationId, repository: repository.fullName, name });
  const position = (made += 1);
  const id = await insertTrigger(store, { targetId, position, runType: "proposed", refName: branch });
  await store.sql`
    WITH trigger AS (UPDATE sluice.triggers SET commit_sha = ${commitSha} WHERE id = ${id} RETURNING event_id)
    UPDATE sluice.events SET new_sha = ${commitSha} FROM trigger WHERE events.id = event_id`;
  await store.sql`
    UPDATE sluice.repositories SET uuid = ${repository.uuid} WHERE full_name = ${repository.fullName}`;
  return id;
}

async function pullRequestsOf(triggerId: string) {
  const [record] = await listTriggerRecords(store, [triggerId]);
  return record?.pullRequests.map(({ number }) => number);
}

/** How often Bitbucket was asked since the test began, or since the last time. */
function calls() {
  const paths = server.calls.map(({ path }) => path);
  server.clearCalls();
  const commit = paths.filter((path) => /\/commit\/\w+\/pullrequests$/.test(path)).length;
  const lists = paths.filter((path) => path.endsWith("/pullrequests")).length;
  return { commit, branch: lists - commit, all: paths.length };
}
beforeEach(() => server.clearCalls());

const makeDue = () =>
  store.sql`UPDATE sluice.commit_links SET ask_at = now() - interval '1 second' WHERE ask_at IS NOT NULL`;
const asked = () =>
  store.sql<{ attempts: number; isOpen: boolean }[]>`
    SELECT attempts, ask_at IS NOT NULL AS is_open FROM sluice.commit_links ORDER BY commit_sha`.then(
    (rows) => [...rows],
  );
const linksOf = async (repository: Repository) =>
  (
    await store.sql<{ commitLinks: string | null }[]>`
      SELECT commit_links FROM sluice.repositories WHERE uuid = ${repository.uuid}`
  )[0]?.commitLinks;
const loggedOf = (event: string) => lines.filter(({ msg }) => msg === event);

describe("where Bitbucket's app is installed", () => {
  test("a commit is linked to its pull requests, which are fetched where nothing is known of them", async () => {
    const repository = aRepository();
    const sha = push(repository);
    const number = open(repository);
    const trigger = await aTrigger(repository, sha);
    await aRound()();
    const [record] = await listTriggerRecords(store, [trigger]);
    expect(record?.pullRequests).toMatchObject([
      { number, title: "From feature", state: "OPEN", sourceBranch: "feature", destinationBranch: "main" },
    ]);
    expect(await linksOf(repository)).toBe("available");
    expect(await asked()).toEqual([{ attempts: 0, isOpen: false }]);
  });

  test("what was asked once is not asked again: not by the next round, not after a start, not for no answer", async () => {
    const repository = aRepository();
    await aTrigger(repository, push(repository));
    const round = aRound();
    await round();
    await round();
    await aRound()();
    expect(calls()).toMatchObject({ commit: 1, all: 1 });
    expect(await asked()).toEqual([{ attempts: 0, isOpen: false }]);
  });

  test("a commit of a pull request that is merged is linked to it", async () => {
    const repository = aRepository();
    const sha = push(repository);
    const number = open(repository);
    repository.pullRequest(number).merge();
    const trigger = await aTrigger(repository, sha, "main");
    await aRound()();
    const [record] = await listTriggerRecords(store, [trigger]);
    expect(record?.pullRequests).toMatchObject([{ number, state: "MERGED" }]);
  });

  test("while Bitbucket is indexing it is asked a few times, later and later; then the branch tells", async () => {
    const repository = aRepository();
    const trigger = await aTrigger(repository, push(repository));
    const number = open(repository);
    repository.setCommitLinks("indexing");
    const round = aRound();
    for (const attempts of [1, 2, 3]) {
      await round();
      await round();
      expect(await asked()).toEqual([{ attempts, isOpen: true }]);
      await makeDue();
    }
    expect(await pullRequestsOf(trigger)).toEqual([]);
    await round();
    expect(await pullRequestsOf(trigger)).toEqual([number]);
    expect(calls()).toMatchObject({ commit: 4, branch: 1 });
    expect(await linksOf(repository)).toBe("available");
  });

  test("a commit that Bitbucket does not have says nothing about the app", async () => {
    const repository = aRepository();
    await aTrigger(repository, "0123456789abcdef0123456789abcdef01234567");
    await aRound()();
    expect(await linksOf(repository)).toBeNull();
    expect(await asked()).toEqual([{ attempts: 0, isOpen: false }]);
    expect(lines).toEqual([]);
  });

  test("a 404 soon after an answer is about the commit: its branch is asked for, and nobody is told to install anything", async () => {
    const repository = aRepository();
    const first = push(repository);
    await aTrigger(repository, first);
    const round = aRound();
    await round();
    repository.setCommitLinks("absent");
    const trigger = await aTrigger(repository, push(repository));
    const number = open(repository);
    await round();
    expect(await linksOf(repository)).toBe("available");
    expect(await pullRequestsOf(trigger)).toEqual([number]);
    expect(loggedOf("commit_links.not_installed")).toEqual([]);
  });

  test("a pull request that has just changed is left to its own webhook", async () => {
    const repository = aRepository();
    const trigger = await aTrigger(repository, push(repository));
    const number = open(repository);
    const round = aRound({ graceMs: TEN_YEARS_MS });
    await round();
    await round();
    expect(await pullRequestsOf(trigger)).toEqual([]);
    expect(await asked()).toEqual([{ attempts: 0, isOpen: true }]);
    expect(calls()).toMatchObject({ commit: 1, all: 2 });
    await makeDue();
    await aRound()();
    expect(await pullRequestsOf(trigger)).toEqual([number]);
  });
});

describe("where the app is missing", () => {
  test("it is said once, with what to click; commits are linked by their branch, asked once for each branch", async () => {
    const repository = aRepository();
    repository.setCommitLinks("absent");
    const shas = [push(repository), push(repository), push(repository)];
    const triggers: string[] = [];
    for (const sha of shas) triggers.push(await aTrigger(repository, sha));
    const other = await aTrigger(repository, push(repository, "other"), "other");
    const number = open(repository);
    await Promise.all([aRound()(), aRound()()]);
    for (const trigger of triggers) expect(await pullRequestsOf(trigger)).toEqual([number]);
    expect(await pullRequestsOf(other)).toEqual([]);
    expect(await linksOf(repository)).toBe("not_installed");
    expect(loggedOf("commit_links.not_installed")).toMatchObject([
      {
        level: "warn",
        repository: repository.fullName,
        advice: expect.stringContaining('"Go to pull request"') as string,
      },
    ]);
  });

  test("from then on only branches are asked for, and not even those whose pull request is known", async () => {
    const repository = aRepository();
    repository.setCommitLinks("absent");
    await aTrigger(repository, push(repository));
    const number = open(repository);
    const round = aRound();
    await round();
    expect(calls()).toMatchObject({ commit: 1, branch: 1 });
    const known = await aTrigger(repository, push(repository));
    const unknown = await aTrigger(repository, push(repository, "other"), "other");
    await round();
    expect(calls()).toMatchObject({ commit: 0, branch: 1 });
    expect(await pullRequestsOf(known)).toEqual([number]);
    expect(await pullRequestsOf(unknown)).toEqual([]);
    expect(loggedOf("commit_links.not_installed")).toHaveLength(1);
  });

  test("one that has just changed is left to its own webhook there too", async () => {
    const repository = aRepository();
    repository.setCommitLinks("absent");
    const trigger = await aTrigger(repository, push(repository));
    open(repository);
    await aTrigger(repository, push(repository, "other"), "other");
    await aRound({ graceMs: TEN_YEARS_MS })();
    expect(await pullRequestsOf(trigger)).toEqual([]);
    expect((await asked()).filter(({ isOpen }) => isOpen)).toEqual([{ attempts: 0, isOpen: true }]);
  });

  test("a fork's pull request from a branch of the same name is another one (rule 11)", async () => {
    const repository = aRepository();
    repository.setCommitLinks("absent");
    const trigger = await aTrigger(repository, push(repository));
    const fork = bitbucket.fork(repository, { workspace: "someone" });
    push(fork);
    open(repository, "feature", fork);
    await aRound()();
    expect(await pullRequestsOf(trigger)).toEqual([]);
    expect(await asked()).toEqual([{ attempts: 0, isOpen: false }]);
  });

  test("it is asked for again after a day, and taken note of when it is there", async () => {
    const repository = aRepository();
    repository.setCommitLinks("absent");
    await aTrigger(repository, push(repository));
    const round = aRound();
    await round();
    repository.setCommitLinks("installed");
    await store.sql`UPDATE sluice.repositories SET commit_links_checked_at = now() - interval '25 hours'`;
    const sha = push(repository);
    const number = open(repository);
    const trigger = await aTrigger(repository, sha);
    await round();
    expect(await pullRequestsOf(trigger)).toEqual([number]);
    expect(await linksOf(repository)).toBe("available");
    expect(loggedOf("commit_links.available")).toHaveLength(1);
  });
});

describe("what waits", () => {
  test.each([
    ["a refused token", { kind: "status", status: 401 }],
    ["a limit", { kind: "rate_limited" }],
    ["an outage", { kind: "status", status: 503 }],
    ["a cut connection", { kind: "reset" }],
  ] as const)("%s uses up no attempt, and the integration is left alone", async (_, fault) => {
    const repository = aRepository();
    const sha = push(repository);
    const number = open(repository);
    const trigger = await aTrigger(repository, sha);
    const end = server.injectFault("GET *", fault);
    const round = aRound();
    await round();
    const { all } = calls();
    await round();
    end();
    expect(all).toBeGreaterThan(0);
    expect(calls()).toMatchObject({ all: 0 });
    expect(await asked()).toEqual([{ attempts: 0, isOpen: true }]);
    await aRound()();
    expect(await pullRequestsOf(trigger)).toEqual([number]);
  });

  test("a 403 uses up no attempt either, and holds up no other repository", async () => {
    const forbidden = aRepository();
    const fine = aRepository();
    const triggers: string[] = [];
    const numbers: number[] = [];
    for (const repository of [forbidden, fine]) {
      const sha = push(repository);
      numbers.push(open(repository));
      triggers.push(await aTrigger(repository, sha));
    }
    const end = server.injectFault(`GET *${forbidden.uuid}*`, { kind: "status", status: 403 });
    const round = aRound();
    await round();
    await round();
    expect(server.countCalls(`GET *${forbidden.uuid}*`)).toBe(1);
    expect(await pullRequestsOf(triggers[1]!)).toEqual([numbers[1]]);
    end();
    await makeDue();
    await round();
    expect(await pullRequestsOf(triggers[0]!)).toEqual([numbers[0]]);
    expect((await asked()).map(({ attempts }) => attempts)).toEqual([0, 0]);
  });

  test("an integration without a credential waits for one", async () => {
    const repository = aRepository();
    await aTrigger(repository, push(repository));
    const missing = new AppError("credential_missing", "apply one");
    await aRound({ clientOf: () => Promise.reject(missing) })();
    expect(await asked()).toEqual([{ attempts: 0, isOpen: true }]);
  });

  test("three quarters of the hour's calls are left to events and sweeps", async () => {
    const repository = aRepository();
    const sha = push(repository);
    const number = open(repository);
    const trigger = await aTrigger(repository, sha);
    await store.sql`INSERT INTO sluice.call_budgets (integration_id, calls_per_hour) VALUES (${integrationId}, 100)`;
    await store.sql`
      INSERT INTO sluice.call_counts (integration_id, minute, calls)
      VALUES (${integrationId}, date_trunc('minute', now()), 26)`;
    await aRound()();
    expect(calls()).toMatchObject({ all: 0 });
    expect(await asked()).toEqual([{ attempts: 0, isOpen: true }]);
    await store.sql`UPDATE sluice.call_counts SET calls = 25`;
    await aRound()();
    expect(await pullRequestsOf(trigger)).toEqual([number]);
  });

  test("an answer that cannot be read is asked for a few times, and holds up nobody else", async () => {
    const broken = aRepository();
    await aTrigger(broken, push(broken));
    const end = server.injectFault(`GET *${broken.uuid}*`, { kind: "wrong_json" });
    const fine = aRepository();
    const sha = push(fine);
    const number = open(fine);
    const trigger = await aTrigger(fine, sha);
    const round = aRound();
    for (let time = 0; time < 5; time += 1) {
      await round();
      await makeDue();
    }
    end();
    expect(await pullRequestsOf(trigger)).toEqual([number]);
    expect(loggedOf("commit_links.failed")).toHaveLength(4);
    expect((await asked()).map(({ isOpen }) => isOpen)).toEqual([false, false]);
  });
});
