import { randomUUID } from "node:crypto";

import { createBitbucketClients } from "@sluice/bitbucket/clients";
import { createTestDatabase, type TestDatabase } from "@sluice/embedded/test-database";
import { createLogger } from "@sluice/runtime/logger";
import { createBitbucket } from "@sluice/simulator/bitbucket";
import type { Credential } from "@sluice/simulator/rest-auth";
import { type BitbucketServer, startBitbucketServer } from "@sluice/simulator/rest-server";
import { createCallBudget } from "@sluice/store/call-budget";
import { openStore, type Store } from "@sluice/store/client";
import type { CredentialStanding } from "@sluice/store/credential-checks";
import { findCredentialHealth, saveCredentialCheck } from "@sluice/store/credential-health";
import { findCredential } from "@sluice/store/integrations";
import { migrateStore } from "@sluice/store/migrate";
import { listSweepReports, requestSweeps } from "@sluice/store/sweeps";
import { insertIntegration, insertStack } from "@sluice/store/test-fixtures";
import { insertTrigger } from "@sluice/store/test-trigger-fixtures";
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from "vitest";

import { createCredentialGuards } from "../resolve/guard-credential.ts";
import { createCredentialStandings } from "./check-credentials-standing.ts";
import { createCredentialChecks } from "./check-credentials.ts";
import { createCommitLinks } from "./link-commits.ts";
import { createSweep } from "./sweep.ts";

const bitbucket = createBitbucket({ seed: "check credentials" });
/** What Bitbucket accepts at the moment. */
const accepted: Credential[] = [];

let database: TestDatabase;
let store: Store;
let server: BitbucketServer;
let integrationId: string;
let stack: string;
let told: { readonly level: string; readonly msg: string }[] = [];
let wentOn: string[] = [];
let made = 0;

const logger = createLogger({
  service: "test",
  level: "info",
  format: "json",
  destination: { write: (line: string) => void told.push(JSON.parse(line) as (typeof told)[number]) },
});

beforeAll(async () => {
  database = await createTestDatabase({
    serverUrl: inject("postgresUrl"),
    migrate: migrateStore,
    key: "store",
  });
  store = openStore({ url: database.url, maxConnections: 20, applicationName: "test" });
  server = await startBitbucketServer({ bitbucket, credentials: accepted });
});

afterAll(async () => {
  await server.close();
  await store.close();
  await database.drop();
});

beforeEach(async () => {
  await store.sql`UPDATE sluice.integrations SET deleted_at = now()`;
  await store.sql`UPDATE sluice.targets SET removed_at = now()`;
  await store.sql`TRUNCATE sluice.commit_links`;
  integrationId = randomUUID();
  const token = `token-${String((made += 1))}`;
  accepted.splice(0, accepted.length, { kind: "access_token", token });
  await insertIntegration(store, {
    id: integrationId,
    slug: `it-${integrationId}`,
    webhookSecretCiphertext: "-",
    credentialCiphertext: token,
  });
  const { fullName } = bitbucket.createRepository({ workspace: "acme", slug: `checked-${String(made)}` });
  bitbucket.findRepository(fullName)!.push({ branch: "main", files: { "a.tf": "1" } });
  stack = await insertStack(store, { integrationId, repository: fullName, name: `stack-${String(made)}` });
  server.clearCalls();
  told = [];
  wentOn = [];
});

const options = {
  findCredential: (id: string) => findCredential(store, id),
  decryptCredential: ({ ciphertext }: { readonly ciphertext: string }) => ciphertext,
  get budget() {
    return createCallBudget(store);
  },
  get baseUrl() {
    return server.url;
  },
  onCall: () => undefined,
};
const guarded = () =>
  createBitbucketClients({ ...options, guard: createCredentialGuards({ store, logger }) }).of(integrationId);

/** One round of a worker of its own. */
const check = (goOn = (ids: readonly string[]): Promise<number> => Promise.resolve(wentOn.push(...ids))) => {
  const clients = createBitbucketClients(options);
  return createCredentialChecks({ store, logger, clientOf: (id) => clients.of(id), goOn })();
};
const makeDue = () => store.sql`UPDATE sluice.credential_health SET next_check_at = now()`;
const health = () => findCredentialHealth(store, integrationId);
const repository = () => bitbucket.findRepository(`acme/checked-${String(made)}`)!;
const logged = () => told.map(({ level, msg }) => `${level} ${msg}`);

async function refuse(): Promise<Credential[]> {
  const revoked = accepted.splice(0);
  await check();
  server.clearCalls();
  return revoked;
}

describe("workers that check a refused credential at the same time (rule 17)", () => {
  test("ask once for each credential", async () => {
    await refuse();
    await makeDue();
    await Promise.all(Array.from({ length: 6 }, () => check()));
    expect(server.calls).toMatchObject([{ status: 401 }]);
    expect(logged()).toEqual(["warn credential.refused"]);
  });

  test("let what waits go on once", async () => {
    const revoked = await refuse();
    const { eventId } = await anUndecidedEvent();
    accepted.push(...revoked);
    await makeDue();
    await Promise.all(Array.from({ length: 6 }, () => check()));
    expect(server.calls).toMatchObject([{ status: 200 }]);
    expect(wentOn).toEqual([eventId]);
    expect(logged()).toEqual(["warn credential.refused", "info credential.accepted"]);
  });
});

describe("who waits for a credential (rule 17)", () => {
  test("is told once more when it is accepted: the first time may have been too early", async () => {
    const revoked = await refuse();
    const { eventId } = await anUndecidedEvent();
    accepted.push(...revoked);
    await makeDue();
    await check();
    server.clearCalls();
    for (let times = 0; times < 2; times += 1) {
      await store.sql`UPDATE sluice.credential_health SET next_check_at = now() WHERE next_check_at IS NOT NULL`;
      await check();
    }
    expect(wentOn).toEqual([eventId, eventId]);
    expect(server.calls).toEqual([]);
  });

  test("is told also when it was not a worker that found it accepted", async () => {
    await refuse();
    const { eventId } = await anUndecidedEvent();
    const credentialCiphertext = `token-${String(made)}`;
    const found = {
      state: "ok",
      httpStatus: null,
      message: null,
      nextCheckInMs: null,
      scopes: null,
    } as const;
    await saveCredentialCheck(store, { integrationId, credentialCiphertext, ...found });
    await check();
    expect(wentOn).toEqual([eventId]);
  });

  test("is told when the queue is there again", async () => {
    const revoked = await refuse();
    const { eventId } = await anUndecidedEvent();
    accepted.push(...revoked);
    await makeDue();
    await check(() => Promise.reject(new Error("the queue is away")));
    expect(logged()).toContain("warn credential.check_failed");
    await makeDue();
    await check();
    expect(wentOn).toEqual([eventId]);
  });

  test("is not told after a doubt", async () => {
    await anUndecidedEvent();
    await store.sql`
      INSERT INTO sluice.credential_health (integration_id, state, since, checked_at, next_check_at)
      VALUES (${integrationId}, 'ok', now() - interval '2 hours', now() - interval '1 hour', now())`;
    await store.sql`UPDATE sluice.integrations SET updated_at = now() - interval '3 hours'`;
    await check();
    expect(server.calls).toMatchObject([{ status: 200 }]);
    expect(wentOn).toEqual([]);
  });
});

/** An event that the integration's repository waits with. */
async function anUndecidedEvent(): Promise<{ readonly eventId: string }> {
  const id = await insertTrigger(store, { targetId: stack, position: made });
  const [row] = await store.sql<{ eventId: string }[]>`
    UPDATE sluice.events SET decided_at = NULL FROM sluice.triggers
    WHERE triggers.id = ${id} AND events.id = event_id RETURNING event_id`;
  return row!;
}

describe("a client of a refused credential", () => {
  test("asks nothing, whatever it is asked for, and says since when and until when", async () => {
    const client = await guarded();
    await refuse();
    const { since } = (await health())!;
    const calls = [
      () => client.getRepository(repository()),
      () => client.getBranch(repository(), "main"),
      () => client.getCommit(repository(), "a".repeat(12)),
      () => client.listOpenPullRequests(repository()),
      () => client.listHooks({ kind: "repository", repository: repository() }),
    ];
    for (const call of calls) {
      await expect(call()).rejects.toMatchObject({
        code: "credential_refused",
        message: expect.stringContaining(`since ${since} (401)`) as string,
        retry: { afterMs: expect.any(Number) as number },
      });
    }
    expect(server.calls).toEqual([]);
  });

  test("may ask again when another worker's check has passed", async () => {
    const client = await guarded();
    const revoked = await refuse();
    accepted.push(...revoked);
    await makeDue();
    await check();
    expect(await client.getRepository(repository())).toMatchObject({ uuid: repository().uuid });
  });

  test("that is an old one says nothing of the new one", async () => {
    const old = await guarded();
    accepted.splice(0);
    await store.sql`UPDATE sluice.integrations SET credential_ciphertext = 'new' WHERE id = ${integrationId}`;
    await expect(old.getRepository(repository())).rejects.toMatchObject({ code: "bitbucket_unauthorized" });
    expect(await health()).toBeNull();
  });
});

describe("while a credential is refused (rule 17)", () => {
  test("sweeps wait, and are made afterwards", async () => {
    const sweep = () =>
      createSweep({
        store,
        logger,
        deliveries: { add: () => Promise.resolve("1") },
        clientOf: guarded,
        deliveryAgeMs: () => Promise.resolve(null),
        graceMs: 0,
        intervalMs: null,
        signal: new AbortController().signal,
      })();
    const report = async () => (await listSweepReports(store, repository().fullName))[0];
    const revoked = await refuse();
    await requestSweeps(store, { repository: null, notSweptForMs: 0 });
    await sweep();
    expect(server.calls).toEqual([]);
    expect(logged()).toContain("info sweep.postponed");
    expect(await report()).toMatchObject({ sweptAt: null, failure: null });
    accepted.push(...revoked);
    await makeDue();
    await check();
    await sweep();
    expect(server.countCalls("GET *refs/branches*")).toBe(1);
    expect(await report()).toMatchObject({ sweptAt: expect.any(String) as string, failure: null });
  });

  test("commits are linked afterwards, with all their attempts", async () => {
    await insertTrigger(store, { targetId: stack, position: made });
    await store.sql`
      UPDATE sluice.repositories SET uuid = ${repository().uuid} WHERE integration_id = ${integrationId}`;
    const work = () =>
      createCommitLinks({
        store,
        logger,
        clientOf: guarded,
        graceMs: 0,
        lagMs: 0,
        signal: new AbortController().signal,
      })();
    const revoked = await refuse();
    await work();
    expect(server.calls).toEqual([]);
    const attempts = () => store.sql`
        SELECT attempts FROM sluice.commit_links JOIN sluice.repositories ON repositories.id = repository_id
        WHERE integration_id = ${integrationId} AND ask_at IS NOT NULL`;
    expect(await attempts()).toEqual([{ attempts: 0 }]);
    accepted.push(...revoked);
    await makeDue();
    await check();
    await work();
    expect(await attempts()).toEqual([]);
  });
});

test("one credential that cannot be decrypted holds up no other", async () => {
  await store.sql`UPDATE sluice.integrations SET credential_ciphertext = NULL WHERE id <> ${integrationId}`;
  const broken = randomUUID();
  await insertIntegration(store, {
    id: broken,
    slug: `it-${broken}`,
    webhookSecretCiphertext: "-",
    credentialCiphertext: "broken",
  });
  await insertStack(store, { integrationId: broken, repository: "acme/broken", name: `stack-${broken}` });
  const clients = createBitbucketClients({
    ...options,
    decryptCredential: ({ ciphertext }) => {
      if (ciphertext === "broken") throw new Error("no key");
      return ciphertext;
    },
  });
  await createCredentialChecks({
    store,
    logger,
    clientOf: (id) => clients.of(id),
    goOn: () => Promise.resolve(0),
  })();
  expect(await health()).toMatchObject({ state: "ok", checkedAt: expect.any(String) as string });
  expect(await findCredentialHealth(store, broken)).toMatchObject({ state: "ok", checkedAt: null });
  expect(logged()).toEqual(["warn credential.check_failed"]);
});

test("the log warns of a credential that expires, once for each of 14, 7, 3 and 1 days, and when it has expired", async () => {
  const shown: (readonly CredentialStanding[])[] = [];
  const look = createCredentialStandings({ store, logger, show: (standings) => void shown.push(standings) });
  const expiresIn = async (hours: number) => {
    await store.sql`
      UPDATE sluice.integrations SET credential_expires_at = now() + ${hours} * interval '1 hour'
      WHERE id = ${integrationId}`;
    told = [];
    for (let times = 0; times < 2; times += 1) await look();
    return logged();
  };
  expect(await expiresIn(400)).toEqual([]);
  for (const days of [14, 7, 3, 1])
    expect(await expiresIn(days * 24 - 1)).toEqual(["warn credential.expires"]);
  expect(await expiresIn(-1)).toEqual(["warn credential.expired"]);
  expect(shown.at(-1)).toMatchObject([{ integrationId, isRefused: false }]);
});
