import { randomUUID } from "node:crypto";

import { createTestDatabase, type TestDatabase } from "@sluice/embedded/test-database";
import { generateKey, parseKeyring } from "@sluice/runtime/keyring";
import { credentialContext } from "@sluice/domain/secret-context";
import { createBitbucket } from "@sluice/simulator/bitbucket";
import { type BitbucketServer, startBitbucketServer } from "@sluice/simulator/rest-server";
import { openStore, type Store } from "@sluice/store/client";
import { saveCredentialCheck } from "@sluice/store/credential-health";
import { migrateStore } from "@sluice/store/migrate";
import { saveRepositoryHooks } from "@sluice/store/repository-hooks";
import { insertIntegration, insertStack } from "@sluice/store/test-fixtures";
import { afterAll, beforeAll, beforeEach, expect, inject, test } from "vitest";

import { migrate } from "../migrate.ts";
import { runTestCli } from "../test-cli-run.ts";
import { startTestServices } from "../test-services.ts";
import type { Finding } from "./finding.ts";

const KEYS = generateKey();
const keyring = parseKeyring(KEYS);
const bitbucket = createBitbucket({ seed: "doctor" });

let database: TestDatabase;
let store: Store;
let server: BitbucketServer;
let environment: Record<string, string> & {
  readonly SLUICE_QUEUE_URL: string;
  readonly SLUICE_QUEUE_NAMESPACE: string;
};

beforeAll(async () => {
  database = await createTestDatabase({
    serverUrl: inject("postgresUrl"),
    key: "store",
    migrate: migrateStore,
  });
  store = openStore({ url: database.url, maxConnections: 2, applicationName: "test" });
  server = await startBitbucketServer({ bitbucket, credentials: [] });
  environment = {
    DATABASE_URL: database.url,
    SLUICE_QUEUE_URL: database.url,
    SLUICE_QUEUE_NAMESPACE: "doctor",
    SLUICE_ENCRYPTION_KEYS: KEYS,
    BITBUCKET_API_URL: server.url,
  };
  await migrate(environment, () => undefined);
});

afterAll(async () => {
  await store.close();
  await server.close();
  await database.drop();
});

beforeEach(async () => {
  await store.sql`TRUNCATE sluice.integrations CASCADE`;
});

async function examine(changed: Record<string, string> = {}) {
  const { code, out, err } = await runTestCli(["doctor", "--json"], {
    environment: { ...environment, ...changed },
  });
  expect(err).toBe("");
  const { findings } = JSON.parse(out) as { findings: Finding[] };
  expect(code).toBe(findings.some(({ level }) => level === "fail") ? 1 : 0);
  const of = (check: string) => findings.filter((each) => each.check === check);
  return { of, out, levels: Object.fromEntries(findings.map(({ check, level }) => [check, level])) };
}

async function addIntegration({ credential = "the-token", key = keyring } = {}) {
  const id = randomUUID();
  const credentialCiphertext = key.encrypt(credential, credentialContext(id));
  await insertIntegration(store, { id, slug: "acme", webhookSecretCiphertext: "-", credentialCiphertext });
  return { id, credentialCiphertext };
}

test("without services and integrations it says what to start and to make, and what is well", async () => {
  const { levels, of } = await examine();
  expect(levels).toMatchObject({
    configuration: "ok",
    postgres: "ok",
    migrations: "ok",
    clock: "ok",
    queue: "ok",
    bitbucket: "ok",
    ingress_alive: "warn",
    worker_alive: "warn",
    integrations: "warn",
  });
  expect(of("worker_alive")).toMatchObject([{ remedy: "start it: sluice serve worker" }]);
});

test("services that run are seen", async () => {
  const { ingress, worker, api } = await startTestServices({
    ...environment,
    SLUICE_BOOTSTRAP_KEY: "a-key-of-the-tests-0123456789",
  });
  const { levels } = await examine({ SLUICE_URL: api.url });
  expect(levels).toMatchObject({ ingress_alive: "ok", worker_alive: "ok", api_alive: "ok" });
  for (const service of [ingress, worker, api]) await service.close(1_000);
  expect((await examine({ SLUICE_URL: api.url })).levels).toMatchObject({
    api_alive: "fail",
    worker_alive: "warn",
  });
});

test("a credential that Bitbucket refuses, and webhooks that drifted, are told with what mends them", async () => {
  const { id, credentialCiphertext } = await addIntegration();
  for (const name of ["infra", "modules", "unseen"]) {
    await insertStack(store, { integrationId: id, repository: `acme/${name}`, name });
  }
  await saveCredentialCheck(store, {
    integrationId: id,
    credentialCiphertext,
    state: "refused",
    httpStatus: 401,
    message: "Token is invalid\nor expired",
    nextCheckInMs: null,
    scopes: null,
  });
  const ids = await store.sql<{ id: string }[]>`SELECT id FROM sluice.repositories ORDER BY full_name`;
  const drift = [{ kind: "inactive", hookId: null, detail: "it is switched off" }] as const;
  await saveRepositoryHooks(store, [
    { repositoryId: ids[0]!.id, drift, unreadable: null },
    { repositoryId: ids[1]!.id, drift: [], unreadable: null },
  ]);

  const { of } = await examine();
  expect(of("credential")).toEqual([
    {
      check: "credential",
      level: "fail",
      message: expect.stringMatching(
        /^acme: Bitbucket refuses it since \S+Z: 401 Token is invalid or expired$/,
      ),
      remedy: "save another one: sluice integration set-credential acme",
    },
  ]);
  expect(of("webhooks")).toMatchObject([
    { level: "warn", message: "not as they should be: acme/infra (inactive)" },
    { level: "warn", message: "nobody looked at those of acme/unseen" },
    { level: "ok", message: "when they were last seen, those of 1 repository were as they should be" },
  ]);
});

test.each([
  [-1, "fail", "acme: it has expired"],
  [3, "warn", "acme: it expires in 2 days"],
  [60, "warn", "acme: it was never tried"],
])("a credential that ends in %i days: %s", async (days, level, message) => {
  const { id } = await addIntegration();
  await store.sql`
    UPDATE sluice.integrations SET credential_expires_at = now() + ${days} * interval '1 day' WHERE id = ${id}`;
  expect((await examine()).of("credential")).toMatchObject([{ level, message }]);
});

test("a credential that no key of the configuration decrypts is told", async () => {
  await addIntegration({ key: parseKeyring(generateKey()) });
  const { of } = await examine();
  expect(of("credential")).toMatchObject([
    { level: "fail", message: "acme: no key of SLUICE_ENCRYPTION_KEYS decrypts its credential" },
    { level: "warn" },
  ]);
});

test("a database that is away is one line, and everything else is looked at all the same", async () => {
  const { levels, of } = await examine({ DATABASE_URL: "postgres://nobody:LEAK@127.0.0.1:1/none" });
  expect(levels).toMatchObject({ postgres: "fail", queue: "ok", bitbucket: "ok" });
  expect(levels).not.toHaveProperty("migrations");
  expect(of("postgres")).toMatchObject([{ remedy: "see that it runs, and DATABASE_URL" }]);
});

test("a database that nobody has migrated, or a newer release has, is told", async () => {
  const serverUrl = inject("postgresUrl");
  const empty = await createTestDatabase({ serverUrl, key: "empty", migrate: () => Promise.resolve() });
  expect((await examine({ DATABASE_URL: empty.url })).of("migrations")).toMatchObject([
    { level: "fail", message: "the database is empty", remedy: "run: sluice migrate" },
  ]);
  await empty.drop();
  await store.sql`INSERT INTO sluice.migrations (hash, created_at) VALUES ('-', 4102444800000)`;
  expect((await examine()).of("migrations")).toMatchObject([
    { level: "fail", message: "the database is of a newer release than this command" },
  ]);
  await store.sql`DELETE FROM sluice.migrations WHERE hash = '-'`;
});

test("what is wrong with the configuration is told for whom, and what depends on it is left out", async () => {
  const { levels, of, out } = await examine({
    SLUICE_QUEUE_URL: "nope://LEAK",
    SLUICE_ENCRYPTION_KEYS: "LEAK",
    SLUICE_URLS: "https://sluice.example.com",
  });
  expect(of("configuration").map(({ level, message }) => `${level} ${message}`)).toEqual([
    expect.stringMatching(/^fail ingress, worker, api: SLUICE_QUEUE_URL is not valid/),
    expect.stringMatching(/^fail ingress, worker, api: SLUICE_ENCRYPTION_KEYS is not valid/),
    "warn nothing reads SLUICE_URLS",
  ]);
  expect(levels).not.toHaveProperty("queue");
  expect(out).not.toContain("LEAK");
});

test("a Bitbucket that cannot be reached, and one that is ill, are told", async () => {
  const unreachable = await examine({ BITBUCKET_API_URL: "http://127.0.0.1:1/2.0" });
  expect(unreachable.of("bitbucket")).toMatchObject([
    { level: "fail", message: expect.stringMatching(/^127\.0\.0\.1:1 cannot be reached: /) },
  ]);
  const letGo = server.injectFault("GET *", { kind: "status", status: 503 });
  expect((await examine()).of("bitbucket")).toMatchObject([
    { level: "warn", message: "Bitbucket answers 503" },
  ]);
  letGo();
});

test("for people each finding is a line, with what mends it below, and a count at the end", async () => {
  const { out } = await runTestCli(["doctor"], { environment });
  expect(out).toMatch(/^ok {4}configuration: ingress, worker, api can start with it\n/);
  expect(out).toMatch(
    /^warn {2}worker_alive: no worker is connected to the database\n {6}start it: sluice serve worker$/m,
  );
  expect(out).toMatch(/^\d+ ok, \d+ to warn of, \d+ failed\.\n$/m);
});

test("a Redis that may lose jobs fails, with the command that mends it", async ({ skip }) => {
  const redisUrl = inject("redisUrl");
  if (redisUrl === null) return skip();
  const { of } = await examine({ SLUICE_QUEUE_URL: redisUrl });
  expect(of("queue")).toMatchObject([{ level: "ok", message: "Redis or Valkey takes jobs" }]);
  // The server of the tests keeps nothing on disk.
  expect(of("queue_settings").length).toBeGreaterThan(0);
  for (const { level, remedy } of of("queue_settings")) {
    expect({ level, remedy }).toEqual({
      level: "fail",
      remedy: expect.stringMatching(/^run: redis-cli CONFIG SET /),
    });
  }
});
