import { randomUUID } from "node:crypto";

import { createBitbucketClient } from "@sluice/bitbucket/client";
import { credentialContext } from "@sluice/domain/secret-context";
import { createTestDatabase, type TestDatabase } from "@sluice/embedded/test-database";
import { generateKey, parseKeyring } from "@sluice/runtime/keyring";
import { type Bitbucket, createBitbucket } from "@sluice/simulator/bitbucket";
import type { Repository } from "@sluice/simulator/repository";
import { type BitbucketServer, startBitbucketServer } from "@sluice/simulator/rest-server";
import type { Store } from "@sluice/store/client";
import { migrateStore } from "@sluice/store/migrate";
import { insertIntegration, insertStack } from "@sluice/store/test-fixtures";
import { startTestPipeline, type TestPipeline } from "@sluice/worker/test-pipeline";
import { afterAll, beforeAll, beforeEach, expect, inject, test } from "vitest";

import { runCli } from "./cli.ts";

const TOKEN = "the-access-token";
const KEYS = generateKey();

let database: TestDatabase;
let worker: TestPipeline;
let store: Store;
let bitbucket: Bitbucket;
let server: BitbucketServer;
let repository: Repository;
let integrationId: string;
let network: string;
let made = 0;

beforeAll(async () => {
  bitbucket = createBitbucket({ seed: "replay" });
  server = await startBitbucketServer({ bitbucket, credentials: [{ kind: "access_token", token: TOKEN }] });
  database = await createTestDatabase({
    serverUrl: inject("postgresUrl"),
    key: "store",
    migrate: migrateStore,
  });
  worker = await startTestPipeline(database);
  ({ store } = worker);
});

afterAll(async () => {
  await server.close();
  await worker.close();
});

beforeEach(async () => {
  await store.sql`TRUNCATE sluice.integrations, sluice.audit_log CASCADE`;
  integrationId = randomUUID();
  await insertIntegration(store, {
    id: integrationId,
    slug: "acme",
    webhookSecretCiphertext: "-",
    credentialCiphertext: parseKeyring(KEYS).encrypt(TOKEN, credentialContext(integrationId)),
  });
  repository = bitbucket.createRepository({ workspace: "acme", slug: `replayed-${String((made += 1))}` });
  repository.push({ branch: "main", files: { "README.md": "1" } });
  network = await aStack("network", "network");
  await aStack("ledger", "ledger");
});

const aStack = (name: string, projectRoot: string) =>
  insertStack(store, { integrationId, repository: repository.fullName, name, projectRoot });

/** Puts a push through that changes `network/a.tf`. */
async function tellPush() {
  const { webhooks } = repository.push({ branch: "main", files: { "network/a.tf": String((made += 1)) } });
  const body = Buffer.from(JSON.stringify(webhooks[0]?.body));
  const delivery = worker.aDelivery("", { integrationId, body });
  const client = createBitbucketClient({
    baseUrl: server.url,
    credential: { kind: "access_token", token: TOKEN },
    credentialId: integrationId,
    budget: { take: () => Promise.resolve({ granted: true }), learn: () => Promise.resolve() },
    userAgent: "test",
  });
  const asking = worker.newPipeline(store, client);
  await worker.handle([delivery], asking);
  const [event] = await store.sql<{ id: string }[]>`
    SELECT id FROM sluice.events WHERE delivery_id = ${delivery.id}`;
  const run = { jobId: "1", attempt: 1, enqueuedAt: new Date(), signal: new AbortController().signal };
  await asking.handleEvent({ payload: { v: 1, eventId: event?.id ?? "" }, ...run });
  await asking.drain();
  return { deliveryId: delivery.id, requestId: delivery.requestId, eventId: event?.id ?? "" };
}

async function replay(...args: string[]) {
  const said = { out: "", err: "" };
  const code = await runCli(["replay", ...args], {
    environment: {
      DATABASE_URL: database.url,
      SLUICE_ENCRYPTION_KEYS: KEYS,
      BITBUCKET_API_URL: server.url,
    },
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

const moveRoots = () => store.sql`
  UPDATE sluice.targets SET project_root = CASE name WHEN 'network' THEN 'elsewhere' ELSE 'network' END`;
const auditRows = async () => [
  ...(await store.sql`SELECT action, actor_kind, actor_name, subject_id FROM sluice.audit_log ORDER BY id`),
];
const countTriggers = async () => (await store.sql`SELECT FROM sluice.triggers`).length;

test("the request, the event and the trigger name the delivery; a branch does not", async () => {
  const { deliveryId, requestId, eventId } = await tellPush();
  const [trigger] = await store.sql<{ id: string }[]>`SELECT id FROM sluice.triggers`;
  for (const name of [deliveryId, `{${requestId.toUpperCase()}}`, eventId, trigger?.id ?? ""]) {
    expect(await replay(name)).toMatchObject({ code: 0, out: expect.stringContaining(deliveryId) as string });
  }
  const { code, err } = await replay(`${repository.fullName}@main`);
  expect(code).toBe(2);
  expect(err).toContain(`\`sluice explain ${repository.fullName}@main\` lists them`);
});

test("what would change is printed as a difference, and nothing is written", async () => {
  const { deliveryId, eventId } = await tellPush();
  const [{ id } = { id: "" }] = await store.sql<{ id: string }[]>`SELECT id FROM sluice.triggers`;
  await moveRoots();
  const { code, out } = await replay(deliveryId);
  const sha = repository.head("main").slice(0, 12);
  expect(code).toBe(0);
  expect(out.split("\n").slice(1)).toEqual([
    expect.stringMatching(`^  event ${eventId}, delivery ${deliveryId}, received \\S+Z$`),
    "  stack ledger (space root): would trigger a tracked run",
    "    - No changed file is under the target's project root or matches one of its globs.",
    "    + A tracked run was triggered: network/a.tf is under network on the tracked branch main.",
    "    its trigger would be: queued, no scheduler has claimed it",
    "  stack network (space root): its run would be canceled",
    "    - A tracked run was triggered: network/a.tf is under network on the tracked branch main.",
    "    + No changed file is under the target's project root or matches one of its globs.",
    `    trigger ${id}, tracked, of main at ${sha}: would be canceled`,
    "1 new run, 1 run canceled. Nothing was written: --apply writes it.",
    "",
  ]);
  expect(await countTriggers()).toBe(1);
  expect(await auditRows()).toEqual([]);
});

test("--apply writes it, under the name that is given; again, nothing would change", async () => {
  const { deliveryId } = await tellPush();
  await moveRoots();
  const { out } = await replay(deliveryId, "--apply", "--by", "ada");
  expect(out).toMatch(/\n {2}stack ledger \(space root\): triggers a tracked run\n/);
  expect(out).toMatch(/\n1 new run, 1 run canceled\. That is written\.\n$/);
  const [line] = await store.sql`
    SELECT actor, note FROM sluice.trigger_history WHERE state = 'canceled'`;
  expect(line).toEqual({ actor: "ada", note: "replayed: its delivery does not trigger it any more" });
  expect((await replay(deliveryId, "--apply")).out).toMatch(/\nNothing would change\.\n$/);
  expect(await countTriggers()).toBe(2);
  expect(await auditRows()).toEqual([
    { action: "delivery.replayed", actorKind: "command_line", actorName: "ada", subjectId: deliveryId },
  ]);
});

test("--target shows one only, does not go with --apply, and must be one", async () => {
  const { deliveryId } = await tellPush();
  await store.sql`UPDATE sluice.targets SET project_root = '' WHERE name = 'ledger'`;
  const { out } = await replay(deliveryId, "--target", "network");
  expect(out).not.toContain("ledger");
  expect(out).toMatch(/\nNothing would change\.\n$/);
  expect(await replay(deliveryId, "--target", "network", "--apply")).toMatchObject({ code: 2 });
  expect(await replay(deliveryId, "--target", "netwrk")).toMatchObject({
    code: 2,
    err: "error usage_invalid: there is no target netwrk\n",
  });
});

test("as data: each decision before and after, with its sentence", async () => {
  const { deliveryId } = await tellPush();
  await store.sql`UPDATE sluice.targets SET enabled = false WHERE id = ${network}`;
  const { out } = await replay(deliveryId, "--json", "--target", "network");
  expect(JSON.parse(out)).toMatchObject({
    deliveryId,
    failure: null,
    hasChanges: true,
    isApplied: false,
    otherTriggers: [],
    events: [
      {
        words: expect.stringContaining("push to main of") as string,
        isNew: false,
        isWaiting: false,
        changes: [
          {
            kind: "ended",
            target: { name: "network" },
            before: { reason: "triggered" },
            after: { reason: "target_disabled", sentence: "The target is disabled." },
            trigger: null,
            ended: { state: "canceled" },
          },
        ],
      },
    ],
  });
});

test("one that was not understood, and is now, is told as new", async () => {
  const { deliveryId } = await tellPush();
  await store.sql`TRUNCATE sluice.triggers, sluice.trigger_history, sluice.decisions, sluice.events`;
  await store.sql`
    UPDATE sluice.deliveries SET outcome = 'failed', failure = '{"code": "invalid_payload", "path": "", "message": "-"}'`;
  const { out } = await replay(deliveryId);
  expect(out).toContain("\n  would be recorded: it was not acted on before\n");
  expect(out).toContain("\n  a worker would ask Bitbucket about it, and decide it\n");
  expect(out).toMatch(/\n1 new event\. Nothing was written: --apply writes it\.\n$/);
});

test("a delivery that is not there gives exit code 4; one whose bytes are gone says so", async () => {
  expect(await replay(randomUUID())).toMatchObject({ code: 4, out: "" });
  const { deliveryId } = await tellPush();
  await store.sql`DELETE FROM sluice.delivery_bodies`;
  expect(await replay(deliveryId)).toMatchObject({
    code: 1,
    err: expect.stringContaining(
      `error delivery_body_gone: the bytes of delivery ${deliveryId} are gone`,
    ) as string,
  });
});
