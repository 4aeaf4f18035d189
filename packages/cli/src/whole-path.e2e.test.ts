import { randomUUID } from "node:crypto";

import { credentialContext, webhookSecretContext } from "@sluice/domain/secret-context";
import { createTestDatabase, type TestDatabase } from "@sluice/embedded/test-database";
import { ingressVariables } from "@sluice/ingress/config";
import { startIngress, type RunningIngress } from "@sluice/ingress/start-ingress";
import { migrateQueueBackend } from "@sluice/queue/backend";
import { parseQueueUrl } from "@sluice/queue/queue-url";
import { loadConfiguration } from "@sluice/runtime/configuration";
import { generateKey, parseKeyring } from "@sluice/runtime/keyring";
import { createLogger } from "@sluice/runtime/logger";
import { createBitbucket, type Bitbucket } from "@sluice/simulator/bitbucket";
import type { Repository } from "@sluice/simulator/repository";
import { startBitbucketServer, type BitbucketServer } from "@sluice/simulator/rest-server";
import { openStore, type Store } from "@sluice/store/client";
import { migrateStore } from "@sluice/store/migrate";
import { insertIntegration, insertStack } from "@sluice/store/test-fixtures";
import { workerVariables } from "@sluice/worker/config";
import { startWorker, type RunningWorker } from "@sluice/worker/start-worker";
import { resolveHeldEvent } from "@sluice/worker/write/resolve-held";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";

const SECRET = "the-webhook-secret";
const TOKEN = "the-access-token";

const backends = [
  { name: "Redis", url: inject("redisUrl") },
  { name: "Postgres", url: "the test's own database" },
].filter(({ url }) => url !== null);

describe.each(backends)("from a signed push to a trigger, on $name", ({ name, url }) => {
  const integrationId = randomUUID();
  let database: TestDatabase;
  let store: Store;
  let bitbucket: Bitbucket;
  let server: BitbucketServer;
  let repository: Repository;
  let ingress: RunningIngress;
  let worker: RunningWorker;

  beforeAll(async () => {
    database = await createTestDatabase({
      serverUrl: inject("postgresUrl"),
      migrate: migrateStore,
      key: "store",
    });
    store = openStore({ url: database.url, maxConnections: 2, applicationName: "test" });
    bitbucket = createBitbucket({ seed: name });
    server = await startBitbucketServer({ bitbucket, credentials: [{ kind: "access_token", token: TOKEN }] });

    const encryptionKeys = generateKey();
    const keyring = parseKeyring(encryptionKeys);
    await insertIntegration(store, {
      id: integrationId,
      slug: "acme",
      webhookSecretCiphertext: keyring.encrypt(SECRET, webhookSecretContext(integrationId)),
      credentialCiphertext: keyring.encrypt(TOKEN, credentialContext(integrationId)),
    });
    const queueUrl = name === "Postgres" ? database.url : (url ?? "");
    const namespace = `e2e_${randomUUID().slice(0, 8)}`;
    await migrateQueueBackend(parseQueueUrl(queueUrl), { namespace });
    const environment = {
      DATABASE_URL: database.url,
      SLUICE_QUEUE_URL: queueUrl,
      SLUICE_QUEUE_NAMESPACE: namespace,
      SLUICE_ENCRYPTION_KEYS: encryptionKeys,
      BITBUCKET_API_URL: server.url,
      INGRESS_HOST: "127.0.0.1",
      INGRESS_PORT: "0",
      INGRESS_OPERATIONS_PORT: "0",
      WORKER_HOST: "127.0.0.1",
      WORKER_PORT: "0",
    };
    const logger = createLogger({ service: "test", level: "error", format: "json" });
    ingress = await startIngress({ configuration: loadConfiguration(ingressVariables, environment), logger });
    worker = await startWorker({ configuration: loadConfiguration(workerVariables, environment), logger });

    repository = bitbucket.createRepository({ workspace: "acme", slug: "infra" });
    repository.push({ files: { "network/main.tf": "1", "database/main.tf": "1", "README.md": "1" } });
    repository.createHook({
      url: `${ingress.url}/webhooks/bitbucket-cloud/acme`,
      secret: SECRET,
      events: [
        "repo:push",
        "pullrequest:created",
        "pullrequest:updated",
        "pullrequest:rejected",
        "pullrequest:comment_created",
      ],
    });
  });

  afterAll(async () => {
    await ingress.close(1_000);
    await worker.close(1_000);
    await server.close();
    await store.close();
    await database.drop();
  });

  const aStack = (stack: string, projectRoot: string) =>
    insertStack(store, { integrationId, repository: "acme/infra", name: stack, projectRoot });

  /** Every decision on the newest push to a commit, once all of its events are decided. */
  async function decisionsOn(commitSha: string): Promise<readonly Record<string, unknown>[]> {
    await bitbucket.settled();
    await expect
      .poll(
        async () =>
          (await store.sql`SELECT FROM sluice.events WHERE new_sha = ${commitSha} AND decided_at IS NOT NULL`)
            .length,
        { timeout: 20_000 },
      )
      .toBeGreaterThan(0);
    return store.sql`
      SELECT targets.name AS target, decisions.outcome, decisions.run_type, decisions.reason, decisions.evidence
      FROM sluice.decisions
      JOIN sluice.events ON events.id = decisions.event_id
      LEFT JOIN sluice.targets ON targets.id = decisions.target_id
      WHERE events.new_sha = ${commitSha}
      ORDER BY events.sequence, targets.name`;
  }

  test("a push makes a trigger for each stack whose files changed, and says why not for the others (rules 19, 25)", async () => {
    await aStack("network", "network");
    await aStack("database", "database");
    await aStack("everything", "");
    const { hash } = repository.push({ files: { "network/main.tf": "2", "network2/x.tf": "1" } });
    expect(await decisionsOn(hash)).toMatchObject([
      { target: "database", outcome: "ignore", reason: "outside_project_root" },
      { target: "everything", outcome: "trigger", runType: "tracked" },
      {
        target: "network",
        outcome: "trigger",
        runType: "tracked",
        evidence: { files: { matched: [{ path: "network/main.tf" }], total: 1 } },
      },
    ]);
    expect(server.countCalls("GET *diffstat*")).toBe(1);
    const triggers = await store.sql`
      SELECT run_type, commit_sha, state FROM sluice.triggers WHERE commit_sha = ${hash}`;
    expect(triggers).toHaveLength(2);
  });

  test("a new branch is compared with the tracked branch from where they parted (rule 15)", async () => {
    const { hash } = repository.push({ branch: "feature/db", files: { "database/main.tf": "2" } });
    expect(await decisionsOn(hash)).toMatchObject([
      { target: "database", outcome: "trigger", runType: "proposed" },
      { target: "everything", outcome: "trigger", runType: "proposed" },
      { target: "network", outcome: "ignore", reason: "outside_project_root" },
    ]);
  });

  test("a renamed file counts under both of its names (rule 15)", async () => {
    const { hash } = repository.push({ files: { "network/main.tf": null, "moved/main.tf": "2" } });
    expect(await decisionsOn(hash)).toMatchObject([
      { target: "database", outcome: "ignore" },
      { target: "everything", outcome: "trigger" },
      { target: "network", outcome: "trigger" },
    ]);
  });

  test("what Bitbucket sends twice, and reordered, runs once (rules 9, 14)", async () => {
    const end = bitbucket.webhooks.injectFault({ kind: "duplicate", copies: 3 });
    const { hash } = repository.push({ files: { "database/main.tf": "3" } });
    await decisionsOn(hash);
    end();
    const triggers = await store.sql`SELECT FROM sluice.triggers WHERE commit_sha = ${hash}`;
    expect(triggers).toHaveLength(2);
  });

  test("a 429 blocks the credential for as long as it says; the event waits, and is decided afterwards (rule 17)", async () => {
    server.injectFault("GET *diffstat*", { kind: "rate_limited", retryAfterSeconds: 5 }, { times: 1 });
    server.clearCalls();
    const { hash } = repository.push({ branch: "feature/db", files: { "network/new.tf": "1" } });
    await bitbucket.settled();
    await expect.poll(() => server.countCalls("GET *diffstat*"), { timeout: 10_000 }).toBe(1);
    expect(await store.sql`SELECT FROM sluice.triggers WHERE commit_sha = ${hash}`).toEqual([]);
    expect(await decisionsOn(hash)).toMatchObject([
      { target: "database", outcome: "ignore" },
      { target: "everything", outcome: "trigger" },
      { target: "network", outcome: "trigger" },
    ]);
    expect(server.countCalls("GET *diffstat*")).toBe(2);
  });

  test("a tracked run whose files nobody knows is held until a person says what to do (rule 17)", async () => {
    const mend = server.injectFault("GET *diffstat*", { kind: "status", status: 404 });
    const first = repository.push({ files: { "network/held.tf": "1" } });
    expect(await decisionsOn(first.hash)).toMatchObject([
      { target: "database", outcome: "hold", reason: "held", evidence: { files: { known: false } } },
      { target: "everything", outcome: "trigger" },
      { target: "network", outcome: "hold", reason: "held" },
    ]);
    mend();
    const [event] = await store.sql<
      { id: string }[]
    >`SELECT id FROM sluice.events WHERE new_sha = ${first.hash}`;
    const mistyped = { kind: "targets", names: ["netwrok"] } as const;
    await expect(
      resolveHeldEvent(store, { eventId: event?.id ?? "", choice: mistyped, by: "ada" }),
    ).rejects.toMatchObject({ code: "target_not_held" });
    const choice = { kind: "targets", names: ["network"] } as const;
    const settle = () => resolveHeldEvent(store, { eventId: event?.id ?? "", choice, by: "ada" });
    expect(await settle()).toMatchObject([
      { target: "database", outcome: "ignore", reason: "outside_project_root", triggerId: null },
      { target: "network", outcome: "trigger", reason: "triggered", triggerId: expect.any(String) as string },
    ]);
    const made = await store.sql`
      SELECT targets.name, actor FROM sluice.trigger_history
      JOIN sluice.triggers ON triggers.id = trigger_id JOIN sluice.targets ON targets.id = target_id
      WHERE commit_sha = ${first.hash} ORDER BY targets.name`;
    expect(made).toEqual([
      { name: "everything", actor: "worker" },
      { name: "network", actor: "ada" },
    ]);
    await expect(settle()).rejects.toMatchObject({ code: "target_not_held" });
  });

  test("a held run is stale once a newer commit of its target was handed out (rule 14)", async () => {
    const mend = server.injectFault("GET *diffstat*", { kind: "status", status: 404 });
    const first = repository.push({ files: { "database/held.tf": "1" } });
    await decisionsOn(first.hash);
    mend();
    const second = repository.push({ files: { "database/held.tf": "2" } });
    await decisionsOn(second.hash);
    await store.sql`UPDATE sluice.triggers SET attempt = 1 WHERE commit_sha = ${second.hash}`;
    const [event] = await store.sql<
      { id: string }[]
    >`SELECT id FROM sluice.events WHERE new_sha = ${first.hash}`;
    const settled = await resolveHeldEvent(store, {
      eventId: event?.id ?? "",
      choice: { kind: "all" },
      by: "ada",
    });
    expect(settled).toMatchObject([
      { target: "database", reason: "stale" },
      { target: "network", reason: "triggered" },
    ]);
  });

  /** The decisions on the latest event of a pull request with this action, by target, once it is decided. */
  async function decisionsOnReport(
    number: number,
    action: string,
  ): Promise<readonly Record<string, unknown>[]> {
    await bitbucket.settled();
    let eventId = "";
    await expect
      .poll(
        async () => {
          const [latest] = await store.sql<{ id: string; isDecided: boolean }[]>`
            SELECT id, decided_at IS NOT NULL AS is_decided FROM sluice.events
            WHERE pull_request_number = ${number} AND action = ${action} ORDER BY sequence DESC LIMIT 1`;
          eventId = latest?.id ?? "";
          return latest?.isDecided;
        },
        { timeout: 20_000 },
      )
      .toBe(true);
    return store.sql`
      SELECT targets.name AS target, outcome, run_type, reason, evidence, trigger_id
      FROM sluice.decisions LEFT JOIN sluice.targets ON targets.id = decisions.target_id
      WHERE event_id = ${eventId} ORDER BY targets.name`;
  }

  test("a pull request of a pushed branch repeats no run, a new title runs nothing, a comment runs its target anew, and a decline cancels what is queued (rules 22, 24, 26)", async () => {
    const { hash } = repository.push({ branch: "feature/pr", files: { "network/pr.tf": "1" } });
    await decisionsOn(hash);
    const pull = repository.openPullRequest({ title: "Larger network", source: "feature/pr" });
    const found = await decisionsOnReport(pull.id, "opened");
    expect(found).toMatchObject([
      { target: "database", reason: "outside_project_root" },
      { target: "everything", reason: "duplicate" },
      { target: "network", reason: "duplicate" },
    ]);
    pull.edit({ title: "A larger network" });
    const metadataOnly = { outcome: "ignore", reason: "metadata_only" };
    expect(await decisionsOnReport(pull.id, "edited")).toMatchObject([
      metadataOnly,
      metadataOnly,
      metadataOnly,
    ]);
    pull.comment(pull.state.author, "/sluice propose network");
    expect(await decisionsOnReport(pull.id, "commented")).toMatchObject([
      { target: "database", reason: "not_a_command" },
      { target: "everything", reason: "not_a_command" },
      { target: "network", reason: "triggered", runType: "proposed" },
    ]);
    pull.decline();
    await decisionsOnReport(pull.id, "closed");
    const ended = await store.sql`
      SELECT DISTINCT state, message FROM sluice.triggers WHERE commit_sha = ${hash} AND state <> 'superseded'`;
    expect(ended).toEqual([
      {
        state: "canceled",
        message: `pull request #${String(pull.id)} of its branch was closed without a merge`,
      },
    ]);
  });

  test("the worker tells its queues, jobs and calls to Prometheus", async () => {
    const metrics = await (await fetch(`${worker.url}/metrics`)).text();
    expect(metrics).toMatch(/sluice_jobs_total\{[^}]*outcome="completed"[^}]*\} [1-9]/);
    expect(metrics).toMatch(/sluice_bitbucket_calls_total\{[^}]*status="200"[^}]*\} [1-9]/);
    expect(metrics).toMatch(/sluice_webhook_to_trigger_seconds_count\{[^}]*\} [1-9]/);
    expect(metrics).toMatch(/sluice_queue_depth\{[^}]*queue="events"[^}]*\} \d/);
    expect((await fetch(`${worker.url}/readyz`)).status).toBe(200);
  });
});
