import { randomUUID } from "node:crypto";

import { createTestDatabase, type TestDatabase } from "@sluice/embedded/test-database";
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from "vitest";

import { openStore, type Store } from "./client.ts";
import { detachTargets } from "./declared-targets.ts";
import { migrateStore } from "./migrate.ts";
import {
  forgetPullRequestBaselines,
  listBaselineTargetsOfPullRequest,
  listKnownPullRequests,
  savePullRequestBaselines,
} from "./open-pull-requests.ts";
import { savePullRequests, type NewPullRequest } from "./pull-requests.ts";
import { forgetBaselinesOfRepository, saveBaselines } from "./swept-branches.ts";
import { insertIntegration, insertStack } from "./test-fixtures.ts";

let database: TestDatabase;
let store: Store;
let integrationId: string;
let repositoryId: string;
let stack: string;

beforeAll(async () => {
  const serverUrl = inject("postgresUrl");
  database = await createTestDatabase({ serverUrl, key: "store", migrate: migrateStore });
  store = openStore({ url: database.url, maxConnections: 2, applicationName: "test" });
});

afterAll(async () => {
  await store.close();
  await database.drop();
});

beforeEach(async () => {
  integrationId = randomUUID();
  await insertIntegration(store, {
    id: integrationId,
    slug: `it-${integrationId}`,
    webhookSecretCiphertext: "-",
  });
  stack = await aStack("first");
  const [row] = await store.sql<{ repositoryId: string }[]>`
    SELECT repository_id FROM sluice.targets WHERE id = ${stack}`;
  repositoryId = row!.repositoryId;
});

const aStack = (name: string) =>
  insertStack(store, { integrationId, repository: "acme/infra", name: `${name}-${integrationId}` });

const at = (microseconds: number) => `2026-11-24T10:00:00.${String(microseconds).padStart(6, "0")}+00:00`;

const aPullRequest = (number: number, change: Partial<NewPullRequest> = {}): NewPullRequest => ({
  repositoryId,
  sourceRepositoryId: repositoryId,
  number,
  title: "Widen it",
  state: "OPEN",
  isDraft: null,
  author: null,
  url: null,
  createdOn: null,
  updatedOn: at(number),
  source: { repository: null, branch: "feature", sha: "1a2b3c4d5e6f" },
  destination: { branch: "main", sha: null },
  mergeSha: null,
  reviews: [],
  headArrival: 1,
  ...change,
});

test("what is open as far as we know, and what is asked for, is known, to the microsecond", async () => {
  await savePullRequests(store, [
    aPullRequest(1),
    aPullRequest(2, { state: "MERGED" }),
    aPullRequest(3, { state: "DECLINED" }),
  ]);
  const known = await listKnownPullRequests(store, repositoryId, [3, 4]);
  expect([...known.keys()]).toEqual([1, 3]);
  expect(known.get(1)).toEqual({
    number: 1,
    state: "OPEN",
    updatedOn: "2026-11-24T10:00:00.000001Z",
    source: { branch: "feature", sha: "1a2b3c4d5e6f" },
    destination: { branch: "main" },
  });
  expect(known.get(3)).toMatchObject({ state: "DECLINED" });
});

describe("the first open pull requests that a sweep sees for a target (rule 34)", () => {
  const look = (seenUntil: string | null) => savePullRequestBaselines(store, { repositoryId, seenUntil });
  const baselineOf = async (updatedOn: string) => [
    ...(await listBaselineTargetsOfPullRequest(store, { repositoryId, updatedOn })),
  ];

  test("are its baseline, and nothing that Bitbucket changed later; all is one before the first look", async () => {
    expect(await baselineOf(at(9))).toEqual([stack]);
    expect(await look(at(5))).toBe("2026-11-24T10:00:00.000005Z");
    expect(await baselineOf(at(5))).toEqual([stack]);
    expect(await baselineOf(at(6))).toEqual([]);
  });

  test("are those of the first look: a later one changes nothing, and gives a target that joined its own", async () => {
    await look(at(5));
    const joined = await aStack("joined");
    expect(await look(at(8))).toBe("2026-11-24T10:00:00.000005Z");
    expect(await baselineOf(at(5))).toEqual([stack, joined].toSorted());
    expect(await baselineOf(at(8))).toEqual([joined]);
    expect(await baselineOf(at(9))).toEqual([]);
  });

  test("may be none: what comes is no baseline", async () => {
    await look(null);
    expect(await baselineOf(at(1))).toEqual([]);
  });

  test("are none of a branch's", async () => {
    await look(at(5));
    await saveBaselines(store, { repositoryId, name: "main", headSha: null, knownSha: null });
    expect(await baselineOf(at(6))).toEqual([]);
  });

  test("are forgotten with the branches, or alone", async () => {
    for (const forget of [forgetPullRequestBaselines, forgetBaselinesOfRepository]) {
      await look(at(5));
      await forget(store, repositoryId);
      expect(await baselineOf(at(9))).toEqual([stack]);
    }
    await look(at(5));
    await saveBaselines(store, { repositoryId, name: "main", headSha: null, knownSha: null });
    await forgetPullRequestBaselines(store, repositoryId);
    const left = await store.sql<
      { branch: string }[]
    >`SELECT branch FROM sluice.sweep_baselines WHERE target_id = ${stack}`;
    expect(left.map(({ branch }) => branch)).toEqual(["main"]);
  });

  test("mean nothing to a target that is detached: it is refused for that", async () => {
    await detachTargets(store, [integrationId]);
    expect(await look(at(5))).toBeNull();
    expect(await baselineOf(at(1))).toEqual([]);
  });
});
