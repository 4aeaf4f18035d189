import { randomUUID } from "node:crypto";

import { createTestDatabase, type TestDatabase } from "@sluice/embedded/test-database";
import { openStore, type Store } from "@sluice/store/client";
import { migrateStore } from "@sluice/store/migrate";
import { finishSweep, takeDueSweeps } from "@sluice/store/sweeps";
import { insertIntegration, insertStack } from "@sluice/store/test-fixtures";
import { afterAll, beforeAll, beforeEach, expect, inject, test } from "vitest";

import { runCli } from "./cli.ts";

let database: TestDatabase;
let store: Store;

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
  await store.sql`TRUNCATE sluice.repositories CASCADE`;
  const integrationId = randomUUID();
  const slug = `acme-${integrationId.slice(0, 8)}`;
  await insertIntegration(store, { id: integrationId, slug, webhookSecretCiphertext: "-" });
  for (const name of ["infra", "platform"]) {
    await insertStack(store, { integrationId, repository: `acme/${name}`, name: `${slug}-${name}` });
  }
});

async function sweep(...args: string[]) {
  const said = { out: "", err: "" };
  const code = await runCli(["sweep", ...args], {
    environment: { DATABASE_URL: database.url },
    print: (text) => void (said.out += text),
    report: (text) => void (said.err += text),
    isInteractive: false,
    confirm: () => Promise.resolve(false),
    readLines: async function* readLines() {
      yield* [];
    },
    workingDirectory: "/",
  });
  return { code, ...said };
}

/** As a worker without a schedule would be given them. */
const takeAsked = () => takeDueSweeps(store, { intervalMs: null, limit: 10, takeForMs: 60_000, except: [] });

test("every repository that is in use becomes due, and is listed", async () => {
  const { code, out } = await sweep();
  expect({ code, out }).toEqual({
    code: 0,
    out: "acme/infra: never swept\nacme/platform: never swept\n",
  });
  expect((await takeAsked()).map(({ fullName }) => fullName).toSorted()).toEqual([
    "acme/infra",
    "acme/platform",
  ]);
});

test("of one name, only that one; --status asks for nothing", async () => {
  expect((await sweep("--status")).code).toBe(1);
  await sweep("--repository", "ACME/infra");
  expect((await takeAsked()).map(({ fullName }) => fullName)).toEqual(["acme/infra"]);
  await sweep("--status");
  expect(await takeAsked()).toEqual([]);
});

test("what came of the last sweep is shown", async () => {
  await sweep();
  const [infra, platform] = (await takeAsked()).toSorted((a, b) => a.fullName.localeCompare(b.fullName));
  const common = { found: 0, lookAgainInMs: null, failure: null };
  await finishSweep(store, { ...common, repositoryId: infra!.repositoryId, found: 2 });
  const failure = { code: "bitbucket_forbidden", message: "the token lacks a scope" };
  await finishSweep(store, { ...common, repositoryId: platform!.repositoryId, failure });
  const { out } = await sweep("--status");
  expect(out).toMatch(/^acme\/infra: last swept \S+Z, 2 recovered\n/);
  expect(out).toMatch(/failing since \S+Z: the token lacks a scope \(bitbucket_forbidden\)\n$/);
  const reports: unknown = JSON.parse((await sweep("--status", "--json")).out);
  expect(reports).toMatchObject([
    { repository: "acme/infra", found: 2, suspected: 0, failure: null },
    { repository: "acme/platform", found: 0, failure },
  ]);
});

test("a repository whose commits Bitbucket cannot tell of says so, and what to click", async () => {
  await sweep();
  await store.sql`
    UPDATE sluice.repositories
    SET commit_links = CASE full_name WHEN 'acme/infra' THEN 'not_installed' ELSE 'available' END`;
  const { out } = await sweep("--status");
  expect(out.split("\n")).toEqual([
    "acme/infra: never swept",
    expect.stringMatching(/^ {2}Bitbucket's app "Pull Request Commit Links" .* click "Go to pull request"/),
    "acme/platform: never swept",
    "",
  ]);
  const reports: unknown = JSON.parse((await sweep("--status", "--json")).out);
  expect(reports).toMatchObject([{ commitLinks: "not_installed" }, { commitLinks: "available" }]);
});

test("a repository that nothing uses is said to be one", async () => {
  const { code, err } = await sweep("--repository", "acme/other");
  expect({ code, err }).toEqual({ code: 1, err: "No stack or module that is enabled uses acme/other.\n" });
});
