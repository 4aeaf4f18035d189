/** A whole installation on servers of its own: what an operator runs, from the endpoint to the triggers. */
import { randomUUID } from "node:crypto";

import { credentialContext, webhookSecretContext } from "@sluice/domain/secret-context";
import { createTestDatabase } from "@sluice/embedded/test-database";
import { findRedisServer } from "@sluice/embedded/redis";
import { migrateQueueBackend, openQueueBackend, type QueueBackend } from "@sluice/queue/backend";
import { parseQueueUrl } from "@sluice/queue/queue-url";
import { generateKey, parseKeyring } from "@sluice/runtime/keyring";
import { createBitbucket, type Bitbucket } from "@sluice/simulator/bitbucket";
import { startBitbucketServer, type BitbucketServer } from "@sluice/simulator/rest-server";
import { openStore, type Store } from "@sluice/store/client";
import { migrateStore } from "@sluice/store/migrate";
import { insertIntegration, insertStack } from "@sluice/store/test-fixtures";

import { startPrivatePostgres, startPrivateRedis, type PrivateServer } from "./private-server.ts";
import type { Endpoint } from "./push-delivery.ts";
import { launchService, type ServiceName, type ServiceProcess } from "./service-process.ts";

const TOKEN = "the-access-token";

/** Where the queue lives. `binary` is the Redis program; null = this machine has none, and the suite is skipped. */
export type QueueChoice =
  | { readonly queue: "Postgres"; readonly binary: null; readonly isSkipped: false }
  | { readonly queue: "Redis"; readonly binary: string | null; readonly isSkipped: boolean };

/** Both backends, for `describe.each`. `redisUrl` as injected: null = the run has said that there is no Redis. */
export async function listQueueChoices(redisUrl: string | null): Promise<readonly QueueChoice[]> {
  const binary = redisUrl === null ? null : await findRedisServer();
  return [
    { queue: "Redis", binary, isSkipped: binary === null },
    { queue: "Postgres", binary: null, isSkipped: false },
  ];
}

/** The servers of one test file. */
export interface FaultServers {
  readonly postgres: PrivateServer;
  /** null = the queue is in Postgres. */
  readonly redis: PrivateServer | null;
  /** The one of them that keeps the queue. */
  readonly queue: PrivateServer;
  dispose(): Promise<void>;
}

export async function startFaultServers({ binary }: QueueChoice): Promise<FaultServers> {
  const [postgres, redis] = await Promise.all([
    startPrivatePostgres(),
    binary === null ? null : startPrivateRedis(binary),
  ]);
  return {
    postgres,
    redis,
    queue: redis ?? postgres,
    async dispose() {
      await redis?.dispose();
      await postgres.dispose();
    },
  };
}

/** One installation, with the integration `acme`. */
export interface Installation {
  readonly databaseUrl: string;
  /** The test's own connections. */
  readonly store: Store;
  /** The test's own view of the queues. */
  readonly queues: QueueBackend;
  readonly bitbucket: Bitbucket;
  readonly bitbucketServer: BitbucketServer;
  /** Launches a service; `env` goes over the installation's own environment. */
  launch(name: ServiceName, env?: Readonly<Record<string, string>>): ServiceProcess;
  /** Launches a service and resolves when it has started. */
  start(name: ServiceName, env?: Readonly<Record<string, string>>): Promise<ServiceProcess>;
  /** Kills every process of a service that still runs. */
  killAll(name: ServiceName): Promise<void>;
  /** Another integration with the same secret. @returns its slug. */
  addIntegration(): Promise<string>;
  /** A stack of `acme`; without a project root every push concerns it and Bitbucket is not asked. */
  addStack(repository: string, name: string, projectRoot?: string): Promise<void>;
  /** Of `acme`, or of another slug; every integration has the same secret. */
  endpoint(ingress: ServiceProcess, slug?: string): Endpoint;
  /** Kills what was launched and lets go of the servers. */
  dispose(): Promise<void>;
}

/** With a `twin`, the same Bitbucket serves both. */
export async function createInstallation(
  { postgres, redis }: FaultServers,
  twin?: Installation,
): Promise<Installation> {
  const database = await createTestDatabase({
    serverUrl: postgres.url,
    migrate: migrateStore,
    key: "store",
  });
  const queueUrl = redis?.url ?? database.url;
  const namespace = `fault_${randomUUID().slice(0, 8)}`;
  await migrateQueueBackend(parseQueueUrl(queueUrl), { namespace });
  const queues = openQueueBackend(parseQueueUrl(queueUrl), { namespace });
  const store = openStore({ url: database.url, maxConnections: 4, applicationName: "test" });
  const bitbucket = twin?.bitbucket ?? createBitbucket();
  const bitbucketServer =
    twin?.bitbucketServer ??
    (await startBitbucketServer({ bitbucket, credentials: [{ kind: "access_token", token: TOKEN }] }));

  const encryptionKeys = generateKey();
  const keyring = parseKeyring(encryptionKeys);
  const secret = randomUUID();
  const addIntegration = async (slug: string): Promise<string> => {
    const id = randomUUID();
    await insertIntegration(store, {
      id,
      slug,
      webhookSecretCiphertext: keyring.encrypt(secret, webhookSecretContext(id)),
      credentialCiphertext: keyring.encrypt(TOKEN, credentialContext(id)),
    });
    return id;
  };
  const integrationId = await addIntegration("acme");

  const environment = {
    DATABASE_URL: database.url,
    SLUICE_QUEUE_URL: queueUrl,
    SLUICE_QUEUE_NAMESPACE: namespace,
    SLUICE_ENCRYPTION_KEYS: encryptionKeys,
    BITBUCKET_API_URL: bitbucketServer.url,
    INGRESS_HOST: "127.0.0.1",
    INGRESS_PORT: "0",
    INGRESS_OPERATIONS_PORT: "0",
    WORKER_HOST: "127.0.0.1",
    WORKER_PORT: "0",
    LOG_FORMAT: "json",
  };
  const launched: Record<ServiceName, ServiceProcess[]> = { ingress: [], worker: [] };
  const launch: Installation["launch"] = (name, env = {}) => {
    const service = launchService(name, { ...environment, ...env });
    launched[name].push(service);
    return service;
  };
  const killAll: Installation["killAll"] = async (name) => {
    await Promise.all(launched[name].map((service) => service.kill()));
  };
  const endpoint: Installation["endpoint"] = (ingress, slug = "acme") => ({
    url: `${ingress.url}/webhooks/bitbucket-cloud/${slug}`,
    secret,
  });
  return {
    databaseUrl: database.url,
    store,
    queues,
    bitbucket,
    bitbucketServer,
    launch,
    async start(name, env) {
      const service = launch(name, env);
      await service.started;
      return service;
    },
    killAll,
    async addIntegration() {
      const slug = `it-${randomUUID()}`;
      await addIntegration(slug);
      return slug;
    },
    async addStack(repository, name, projectRoot = "") {
      await insertStack(store, { integrationId, repository, name, projectRoot });
    },
    endpoint,
    async dispose() {
      await Promise.all([killAll("ingress"), killAll("worker")]);
      if (twin === undefined) await bitbucketServer.close();
      await queues.close();
      await store.close(1_000);
    },
  };
}
