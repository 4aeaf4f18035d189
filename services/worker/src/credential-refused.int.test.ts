/** While Bitbucket refuses a credential everything that needs it waits, and goes on when it is accepted (rule 17). */
import { randomUUID } from "node:crypto";

import { credentialContext } from "@sluice/domain/secret-context";
import { createTestDatabase, type TestDatabase } from "@sluice/embedded/test-database";
import { migrateQueueBackend, openQueueBackend, type QueueBackend } from "@sluice/queue/backend";
import { encodeDeliveries, type DeliveriesPayload } from "@sluice/queue/delivery-codec";
import { createProducer, type Producer } from "@sluice/queue/producer";
import { parseQueueUrl } from "@sluice/queue/queue-url";
import { deliveriesQueue } from "@sluice/queue/queues";
import { loadConfiguration } from "@sluice/runtime/configuration";
import { generateKey, parseKeyring } from "@sluice/runtime/keyring";
import { createLogger } from "@sluice/runtime/logger";
import { createBitbucket } from "@sluice/simulator/bitbucket";
import type { Repository } from "@sluice/simulator/repository";
import type { Credential } from "@sluice/simulator/rest-auth";
import { type BitbucketServer, startBitbucketServer } from "@sluice/simulator/rest-server";
import { openStore, type Store } from "@sluice/store/client";
import { forgetCredentialHealth } from "@sluice/store/credential-health";
import { migrateStore } from "@sluice/store/migrate";
import { insertIntegration, insertStack } from "@sluice/store/test-fixtures";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, test } from "vitest";

import { workerVariables } from "./config.ts";
import { startWorker, type RunningWorker } from "./start-worker.ts";

const WAIT = { timeout: 20_000, interval: 50 };

const encryptionKeys = generateKey();
const keyring = parseKeyring(encryptionKeys);
const bitbucket = createBitbucket({ seed: "credentials" });
/** What Bitbucket accepts at the moment. */
const accepted: Credential[] = [];

let database: TestDatabase;
let store: Store;
let backend: QueueBackend;
let deliveries: Producer<DeliveriesPayload>;
let server: BitbucketServer;
let integrationId: string;
let repositories: readonly [one: Repository, other: Repository];
let stacks: readonly [one: string, other: string];
let workers: RunningWorker[] = [];
let lines: { readonly level: string; readonly msg: string; readonly afterMs?: number }[] = [];
let made = 0;

beforeAll(async () => {
  database = await createTestDatabase({
    serverUrl: inject("postgresUrl"),
    migrate: migrateStore,
    key: "store",
  });
  await migrateQueueBackend(parseQueueUrl(database.url));
  store = openStore({ url: database.url, maxConnections: 4, applicationName: "test" });
  backend = openQueueBackend(parseQueueUrl(database.url));
  deliveries = createProducer(backend, deliveriesQueue);
  server = await startBitbucketServer({ bitbucket, credentials: accepted });
});

afterAll(async () => {
  await deliveries.close();
  await backend.close();
  await server.close();
  await store.close();
  await database.drop();
});

beforeEach(async () => {
  await store.sql`UPDATE sluice.integrations SET deleted_at = now()`;
  integrationId = randomUUID();
  accepted.splice(0);
  lines = [];
  await insertIntegration(store, {
    id: integrationId,
    slug: `it-${integrationId}`,
    webhookSecretCiphertext: "-",
    credentialCiphertext: keyring.encrypt(newToken(), credentialContext(integrationId)),
  });
  repositories = [aRepository(), aRepository()];
  stacks = [await aStack(repositories[0]), await aStack(repositories[1])];
  // Nothing is left to be found out of the credential: the calls that are counted are those of a test.
  await store.sql`
    INSERT INTO sluice.credential_health (integration_id, state, since, checked_at)
    VALUES (${integrationId}, 'ok', now(), now() + interval '1 millisecond')`;
  server.clearCalls();
  await start();
});

afterEach(stopAll);

async function start(): Promise<void> {
  const configuration = loadConfiguration(workerVariables, {
    DATABASE_URL: database.url,
    SLUICE_QUEUE_URL: database.url,
    SLUICE_ENCRYPTION_KEYS: encryptionKeys,
    BITBUCKET_API_URL: server.url,
    SWEEP_INTERVAL_MINUTES: "0",
    SWEEP_GRACE_SECONDS: "0",
    WORKER_HOST: "127.0.0.1",
    WORKER_PORT: "0",
  });
  const destination = {
    write: (line: string) => void lines.push(JSON.parse(line) as (typeof lines)[number]),
  };
  const logger = createLogger({ service: "test", level: "info", format: "json", destination });
  workers.push(await startWorker({ configuration, logger }));
}

async function stopAll(): Promise<void> {
  await Promise.all(workers.splice(0).map((worker) => worker.close(10_000)));
}

function aRepository(): Repository {
  const repository = bitbucket.createRepository({
    workspace: "acme",
    slug: `repository-${String((made += 1))}`,
  });
  repository.push({ branch: "main", files: { "README.md": "1" } });
  return repository;
}

/** Of what it is told Bitbucket has to be asked which files changed. */
const aStack = ({ fullName: repository }: Repository) =>
  insertStack(store, {
    integrationId,
    repository,
    name: `stack-${String((made += 1))}`,
    projectRoot: "network",
  });

function newToken(): string {
  const token = `token-${String((made += 1))}`;
  accepted.push({ kind: "access_token", token });
  return token;
}

/** Whether no check is under way, or about to be. */
const isChecked = async () => {
  const [row] = await store.sql`
    SELECT FROM sluice.credential_health
    WHERE integration_id = ${integrationId} AND checked_at IS NOT NULL AND next_check_at IS NULL`;
  return row !== undefined;
};
/** Long enough to be doubted. */
const longSinceChecked = () => store.sql`
  WITH health AS (
    UPDATE sluice.credential_health SET since = since - interval '1 hour', checked_at = checked_at - interval '1 hour'
    WHERE integration_id = ${integrationId}
  )
  UPDATE sluice.integrations SET updated_at = updated_at - interval '1 hour' WHERE id = ${integrationId}`;
const health = async () => {
  const [row] = await store.sql<{ state: string; httpStatus: number | null }[]>`
    SELECT state, http_status FROM sluice.credential_health WHERE integration_id = ${integrationId}`;
  return row;
};
const checkNow = () =>
  store.sql`UPDATE sluice.credential_health SET next_check_at = now() WHERE integration_id = ${integrationId}`;
const change = () => store.sql`UPDATE sluice.integrations SET updated_at = now() WHERE id = ${integrationId}`;
const linesOf = (event: string) => lines.filter((line) => line.msg === event);

/** A push that concerns a stack, told so long ago. @returns its commit. */
async function push(repository: Repository, ageMs = 10_000): Promise<string> {
  const { hash, webhooks } = repository.push({
    branch: "main",
    files: { "network/a.tf": String((made += 1)) },
  });
  await deliveries.add(
    await encodeDeliveries(
      webhooks.map(({ eventKey, body }) => ({
        id: randomUUID(),
        integrationId,
        requestId: randomUUID(),
        hookId: null,
        eventKey,
        attempt: 1,
        secretVersion: "current",
        receivedAt: new Date(Date.now() - ageMs).toISOString(),
        headers: {},
        body: Buffer.from(JSON.stringify(body)),
      })),
    ),
  );
  return hash;
}

const commitsOf = async (stack: string) => {
  const rows = await store.sql<{ commitSha: string }[]>`
    SELECT commit_sha FROM sluice.triggers WHERE target_id = ${stack} ORDER BY position`;
  return rows.map(({ commitSha }) => commitSha);
};
const countUndecided = async () => {
  const [row] = await store.sql<{ count: number }[]>`
    SELECT count(*)::int FROM sluice.events JOIN sluice.deliveries ON deliveries.id = delivery_id
    WHERE integration_id = ${integrationId} AND decided_at IS NULL`;
  return row!.count;
};
async function untilRefused(status = 401): Promise<void> {
  await expect.poll(health, WAIT).toMatchObject({ state: "refused", httpStatus: status });
}

describe("a credential that Bitbucket refuses (rule 17)", () => {
  test("by a 401 is used no more, also after a restart; what waits is decided once when it is accepted again", async () => {
    const revoked = accepted.splice(0);
    const first = await push(repositories[0]);
    await untilRefused();
    expect(server.countCalls("*")).toBe(1);
    const more = [await push(repositories[0]), await push(repositories[1])];
    await expect.poll(() => linesOf("queue.job_postponed").length, WAIT).toBe(3);
    await stopAll();
    await start();
    await start();
    const last = await push(repositories[1]);
    await expect.poll(() => linesOf("queue.job_postponed").length, WAIT).toBe(4);
    expect(server.countCalls("*")).toBe(1);

    await checkNow();
    await expect.poll(() => server.countCalls("*"), WAIT).toBe(2);
    expect(await health()).toMatchObject({ state: "refused" });
    accepted.push(...revoked);
    await checkNow();
    await expect.poll(() => commitsOf(stacks[0]), WAIT).toEqual([first, more[0]]);
    await expect.poll(() => commitsOf(stacks[1]), WAIT).toEqual([more[1], last]);
    expect(await countUndecided()).toBe(0);
    expect(await health()).toMatchObject({ state: "ok", httpStatus: null });
    expect(linesOf("credential.refused")).toMatchObject([{ level: "warn" }]);
    expect(linesOf("credential.accepted")).toMatchObject([{ level: "info", events: 4 }]);
  });

  test("and that is replaced is tried at once, and what waited goes on", async () => {
    accepted.splice(0);
    const sha = await push(repositories[0]);
    await untilRefused();
    const token = keyring.encrypt(newToken(), credentialContext(integrationId));
    await store.sql`
    UPDATE sluice.integrations SET credential_ciphertext = ${token}, updated_at = now() WHERE id = ${integrationId}`;
    await forgetCredentialHealth(store, [integrationId]);
    await expect.poll(() => commitsOf(stacks[0]), WAIT).toEqual([sha]);
  });

  test("is tried at once when its integration is saved again, as when it was mended at Bitbucket's", async () => {
    const revoked = accepted.splice(0);
    const sha = await push(repositories[0]);
    await untilRefused();
    accepted.push(...revoked);
    await change();
    await expect.poll(() => commitsOf(stacks[0]), WAIT).toEqual([sha]);
  });

  test("by a 403 on one repository is used for the others; that one is asked ever less often", async () => {
    const [forbidden, open] = repositories;
    const end = server.injectFault(`GET *${forbidden.uuid}*`, { kind: "status", status: 403 });
    await longSinceChecked();
    const waits = await push(forbidden, 5 * 60_000);
    // The doubt is cleared up by the other repository.
    await expect.poll(() => server.countCalls(`GET /2.0/repositories/acme/*`), WAIT).toBeGreaterThan(1);
    await expect.poll(isChecked, WAIT).toBe(true);
    const sha = await push(open);
    await expect.poll(() => commitsOf(stacks[1]), WAIT).toEqual([sha]);
    expect(await health()).toMatchObject({ state: "ok" });
    expect(await countUndecided()).toBe(1);
    expect(linesOf("queue.job_postponed")[0]!.afterMs).toBeGreaterThanOrEqual(5 * 60_000);
    end();
    await change();
    await expect.poll(() => commitsOf(stacks[0]), WAIT).toEqual([waits]);
    expect(linesOf("credential.refused")).toEqual([]);
  });

  test("by a 403 on every repository is used no more", async () => {
    const end = server.injectFault("GET *", { kind: "status", status: 403 });
    await longSinceChecked();
    const sha = await push(repositories[0]);
    await untilRefused(403);
    server.clearCalls();
    await push(repositories[1]);
    await expect.poll(() => linesOf("queue.job_postponed").length, WAIT).toBeGreaterThan(1);
    expect(server.calls).toEqual([]);
    end();
    await checkNow();
    await expect.poll(() => commitsOf(stacks[0]), WAIT).toEqual([sha]);
    await expect.poll(countUndecided, WAIT).toBe(0);
  });

  test("stays so while its check is answered with an outage", async () => {
    accepted.splice(0);
    await push(repositories[0]);
    await untilRefused();
    server.injectFault("GET *", { kind: "status", status: 503 }, { times: 1 });
    await checkNow();
    await expect.poll(() => linesOf("credential.check_unknown").length, WAIT).toBe(1);
    expect(await health()).toMatchObject({ state: "refused", httpStatus: 401 });
  });
});
