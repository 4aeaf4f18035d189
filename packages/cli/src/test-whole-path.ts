/** Everything between a signed webhook and what the API tells of it, on servers of its own: for tests. */
import { randomUUID } from "node:crypto";

import type { TriggerDocument } from "@sluice/domain/trigger-document";
import { createTestDatabase } from "@sluice/embedded/test-database";
import { generateKey, parseKeyring, type Keyring } from "@sluice/runtime/keyring";
import { createBitbucket, type Bitbucket } from "@sluice/simulator/bitbucket";
import type { Repository } from "@sluice/simulator/repository";
import { startBitbucketServer, type BitbucketServer } from "@sluice/simulator/rest-server";
import type { Delivery } from "@sluice/simulator/webhook-delivery";
import { openStore, type Store } from "@sluice/store/client";
import { migrateStore } from "@sluice/store/migrate";
import { stringify } from "yaml";

import { applyDeclaration } from "./declaration/apply-declaration.ts";
import { parseDeclaration } from "./declaration/parse-declaration.ts";
import { createApiReader, type ApiReader, type ToldDelivery } from "./test-api-reader.ts";
import { startTestServices } from "./test-services.ts";

const API_KEY = "the-key-of-the-api-0123456789";
const SECRETS = { TOKEN: "the-access-token", SECRET: "the-webhook-secret" };
/** The workspace whose hook tells of all of its repositories. */
const WORKSPACE = "acme";
/** What the hook subscribes to: all that is acted on, and something that is not. */
const EVENTS = [
  "repo:push",
  ...["created", "updated", "approved", "unapproved"].map((name) => `pullrequest:${name}`),
  ...["changes_request_created", "changes_request_removed"].map((name) => `pullrequest:${name}`),
  ...["fulfilled", "rejected", "comment_created", "comment_updated"].map((name) => `pullrequest:${name}`),
  "repo:commit_status_created",
];
const GRACE_MS = 1_000;

/** A queue to test with. */
export interface TestQueue {
  readonly name: "Redis" | "Postgres";
  /** Null: the test's own database. */
  readonly url: string | null;
}

/** Stacks and modules as `sluice.yaml` has them; their repository, branch (`main`) and space are given. */
export type TestTargets = Readonly<
  Partial<Record<"stacks" | "modules", readonly Readonly<Record<string, unknown>>[]>>
>;

/** How webhooks are sent one by one. */
export interface Telling {
  /** Default: as Bitbucket sends them. */
  readonly order?: "as_sent" | "reversed";
  /** What is waited for before the next is sent. Default: `decided`; what waits for a later one can only be `recorded`. */
  readonly afterEach?: "decided" | "recorded";
}

/** An ingress, a worker and an API, and a Bitbucket that sends them its webhooks. */
export interface WholePath {
  readonly store: Store;
  readonly bitbucket: Bitbucket;
  /** Bitbucket's API, as the worker calls it. */
  readonly server: BitbucketServer;
  /** Of the worker's health checks and metrics. */
  readonly workerUrl: () => string;
  /** What the worker has logged, from `warn` on. */
  readonly warnings: readonly Readonly<Record<string, unknown>>[];
  /** A repository whose webhooks arrive, with these files in a commit on `main` that was not told; default: a README. */
  aRepository(files?: Readonly<Record<string, string>>): Repository;
  /** Applies a file that describes the repository's targets. */
  declare(repository: Repository, targets: TestTargets): Promise<void>;
  /** Does something in Bitbucket. @returns what became of its webhooks, in Bitbucket's order, once all are decided. */
  tell(act: () => unknown, telling?: Telling): Promise<readonly ToldDelivery[]>;
  /** The same; the webhooks come as Bitbucket sends them, with whatever fault there is. One that is lost is left out. */
  tellAtOnce(act: () => unknown): Promise<readonly ToldDelivery[]>;
  /** Sends any body under any key, signed. */
  send(eventKey: string, body: Delivery["event"]["body"]): Promise<ToldDelivery>;
  /** The documents of a repository's triggers, in the order of their commits. */
  triggersOf(repository: Repository): Promise<readonly TriggerDocument[]>;
  /** What a worker does when it starts is done again. */
  restartWorker(): Promise<void>;
  close(): Promise<void>;
}

/** Both queues; the one in Postgres alone where there is no Redis. */
export function testQueues(redisUrl: string | null): readonly TestQueue[] {
  const inPostgres: TestQueue = { name: "Postgres", url: null };
  return redisUrl === null ? [inPostgres] : [{ name: "Redis", url: redisUrl }, inPostgres];
}

/** Starts everything on a database of its own. */
export async function startWholePath(postgresUrl: string, queue: TestQueue): Promise<WholePath> {
  const database = await createTestDatabase({ serverUrl: postgresUrl, migrate: migrateStore, key: "store" });
  const store = openStore({ url: database.url, maxConnections: 2, applicationName: "test" });
  const bitbucket = createBitbucket({ seed: queue.name });
  const credentials = [{ kind: "access_token", token: SECRETS.TOKEN }] as const;
  const server = await startBitbucketServer({ bitbucket, credentials });
  const encryptionKeys = generateKey();
  const keyring = parseKeyring(encryptionKeys);
  await declareIntegration(store, keyring);
  await knowCredential(store);
  const { ingress, api, worker, warnings } = await startTestServices({
    DATABASE_URL: database.url,
    SLUICE_QUEUE_URL: queue.url ?? database.url,
    SLUICE_QUEUE_NAMESPACE: `e2e_${randomUUID().slice(0, 8)}`,
    SLUICE_ENCRYPTION_KEYS: encryptionKeys,
    SLUICE_BOOTSTRAP_KEY: API_KEY,
    BITBUCKET_API_URL: server.url,
  });
  const hook = bitbucket.createWorkspaceHook(WORKSPACE, {
    url: `${ingress.url}/webhooks/bitbucket-cloud/acme`,
    secret: SECRETS.SECRET,
    events: EVENTS,
  });
  const reader = createApiReader(api.url, API_KEY);
  let made = 0;

  return {
    store,
    bitbucket,
    server,
    workerUrl: worker.url,
    warnings,
    aRepository(files = { "README.md": "1" }) {
      made += 1;
      const repository = bitbucket.createRepository({ workspace: WORKSPACE, slug: `infra-${String(made)}` });
      const letGo = bitbucket.webhooks.injectFault({ kind: "lose" });
      repository.push({ files });
      letGo();
      return repository;
    },
    declare: (repository, targets) => declareTargets(store, keyring, repository, targets),
    tell: (act, telling) => tellInTurn(bitbucket, reader, act, telling),
    tellAtOnce: (act) => tellAtOnce(bitbucket, reader, act),
    async send(eventKey, body) {
      // The hook need not subscribe to the key: whoever knows the secret may send anything.
      const open = { ...hook, events: [eventKey] };
      const [delivery] = bitbucket.webhooks.send({ eventKey, repositoryUuid: "", body }, [open]);
      return reader.decided(delivery?.requestUuid ?? "");
    },
    async triggersOf({ uuid }) {
      const rows = await store.sql<{ id: string }[]>`
        SELECT triggers.id FROM sluice.triggers JOIN sluice.repositories ON repositories.id = repository_id
        WHERE uuid = ${uuid} ORDER BY position, triggers.id`;
      return Promise.all(rows.map(({ id }) => reader.trigger(id)));
    },
    restartWorker: worker.restart,
    async close() {
      await ingress.close(GRACE_MS);
      await worker.close();
      await api.close(GRACE_MS);
      await server.close();
      await store.close();
      await database.drop();
    },
  };
}

async function declareIntegration(store: Store, keyring: Keyring): Promise<void> {
  const text = stringify({
    version: 1,
    integrations: [
      {
        name: "Acme",
        default: true,
        credential: { kind: "access_token", token: "${TOKEN}" },
        webhook_secret: "${SECRET}",
      },
    ],
  });
  const declaration = parseDeclaration([{ file: "acme.yaml", text }], SECRETS);
  await applyDeclaration(store, { declaration, keyring, prune: false, agreed: null, by: "a test" });
}

/** Else the worker would find out about it while a test counts the calls. */
async function knowCredential(store: Store): Promise<void> {
  await store.sql`
    INSERT INTO sluice.credential_health (integration_id, state, checked_at)
    SELECT id, 'ok', now() + interval '1 millisecond' FROM sluice.integrations`;
}

/** In a space of the repository's own, so that two repositories may have targets of one name. */
async function declareTargets(
  store: Store,
  keyring: Keyring,
  repository: Repository,
  targets: TestTargets,
): Promise<void> {
  const space = repository.state.slug;
  const defaults = { space, repository: repository.fullName, tracked_branch: "main" };
  const text = stringify({ version: 1, spaces: [{ name: space }], defaults, ...targets });
  const declaration = parseDeclaration([{ file: `${space}.yaml`, text }], {});
  await applyDeclaration(store, { declaration, keyring, prune: false, agreed: null, by: "a test" });
}

async function tellAtOnce(
  bitbucket: Bitbucket,
  reader: ApiReader,
  act: () => unknown,
): Promise<ToldDelivery[]> {
  const before = bitbucket.webhooks.history().length;
  act();
  await bitbucket.settled();
  const attempts = bitbucket.webhooks.history().slice(before);
  return readDecided(reader, [...new Set(attempts.map(({ requestUuid }) => requestUuid))]);
}

async function tellInTurn(
  bitbucket: Bitbucket,
  reader: ApiReader,
  act: () => unknown,
  { order = "as_sent", afterEach = "decided" }: Telling = {},
): Promise<ToldDelivery[]> {
  const { webhooks } = bitbucket;
  const endHolding = webhooks.injectFault({ kind: "hold" });
  act();
  endHolding();
  const held = [...webhooks.held];
  for (const delivery of order === "reversed" ? held.toReversed() : held) {
    webhooks.release(() => [delivery]);
    await bitbucket.settled();
    await reader[afterEach](delivery.requestUuid);
  }
  return readDecided(
    reader,
    held.map(({ requestUuid }) => requestUuid),
  );
}

async function readDecided(reader: ApiReader, requestIds: readonly string[]): Promise<ToldDelivery[]> {
  const deliveries: ToldDelivery[] = [];
  for (const requestId of requestIds) deliveries.push(await reader.decided(requestId));
  return deliveries;
}
