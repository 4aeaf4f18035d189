import { previousSecretContext, webhookSecretContext } from "@sluice/domain/secret-context";
import { openQueueBackend, type QueueBackend } from "@sluice/queue/backend";
import {
  encodeDeliveries,
  MAX_DELIVERIES_PER_JOB,
  type DeliveriesPayload,
  type RawDelivery,
} from "@sluice/queue/delivery-codec";
import { withDeadline } from "@sluice/queue/deadline";
import { createGroupCommit, type GroupCommit } from "@sluice/queue/group-commit";
import { createProducer, PRODUCER_DEADLINE_MS, type Producer } from "@sluice/queue/producer";
import { createQueueReader } from "@sluice/queue/queue-reader";
import { queueUnavailable } from "@sluice/queue/queue-unavailable";
import { parseQueueUrl } from "@sluice/queue/queue-url";
import { deliveriesQueue } from "@sluice/queue/queues";
import { startHttpServer, type HttpServer } from "@sluice/runtime/http-server";
import type { Keyring } from "@sluice/runtime/keyring";
import type { RunningService } from "@sluice/runtime/lifecycle";
import type { Logger } from "@sluice/runtime/logger";
import { countDeliveries, createMetrics, observeQueues } from "@sluice/runtime/metrics";
import { createOperationsRoutes } from "@sluice/runtime/operations-routes";
import { openStore } from "@sluice/store/client";
import type { WebhookIntegration } from "@sluice/store/integrations";

import { createIngressApp } from "./app.ts";
import { createBodyBudget } from "./body-budget.ts";
import type { IngressConfiguration } from "./config.ts";
import { startIntegrationCache } from "./integration-cache.ts";

const MAX_BYTES_PER_JOB = 4 * 1024 * 1024;
/** Accepted but not yet durable; above it senders are asked to come back. */
const MAX_WAITING_DELIVERIES = 10_000;
/** The cache reads and listens; nothing here needs more. */
const DATABASE_CONNECTIONS = 2;

export interface RunningIngress extends RunningService {
  readonly url: string;
  /** Where operators ask for its health and metrics. */
  readonly operationsUrl: string;
}

/** Starts receiving webhooks. Postgres and the queue may be away at that time: senders are then answered 503. */
export async function startIngress(input: {
  readonly configuration: IngressConfiguration;
  readonly logger: Logger;
  readonly signal?: AbortSignal;
}): Promise<RunningIngress> {
  const { configuration, logger, signal } = input;
  const store = openStore({
    url: configuration.databaseUrl,
    maxConnections: DATABASE_CONNECTIONS,
    applicationName: "sluice-ingress",
  });
  const backend = openQueueBackend(parseQueueUrl(configuration.queueUrl), {
    logger,
    namespace: configuration.queueNamespace,
  });
  const producer = createProducer(backend, deliveriesQueue);
  const reader = createQueueReader(backend);
  const integrations = await startIntegrationCache({
    store,
    logger,
    decryptSecrets: (integration) => decryptSecrets(configuration.keyring, integration),
  });
  const commits = commitDeliveries(producer, configuration.maxBufferedBytes);
  const metrics = createMetrics({ service: "ingress" });
  observeQueues(metrics, () => reader.read());
  const app = createIngressApp({
    integrations,
    enqueue: (delivery) => storeInTime(commits, delivery),
    maxBodyBytes: configuration.maxBodyBytes,
    bodyBudget: createBodyBudget(configuration.maxBufferedBytes),
    logger,
    countAnswer: countDeliveries(metrics),
  });
  const operations = createOperationsRoutes({
    metrics,
    checks: { integrations: () => integrations.check(), queue: () => backend.check() },
    ...(signal === undefined ? {} : { signal }),
  });
  const letGo = async (): Promise<void> => {
    await integrations.close();
    await Promise.all([producer.close(), reader.close()]);
    await backend.close();
    await store.close();
  };
  const servers = await startServers({ app, operations, configuration, logger }).catch(
    async (error: unknown) => {
      await letGo();
      throw error;
    },
  );
  void warnAboutDurability(backend, logger);
  return {
    url: servers.webhooks.url,
    operationsUrl: servers.operations.url,
    async close(graceMs) {
      await servers.webhooks.close(graceMs);
      await commits.drain();
      // To the last moment it can be asked what is left.
      await servers.operations.close(0);
      await letGo();
    },
  };
}

/** The public port, and one for operators. Of a start that fails nothing is left. */
async function startServers(input: {
  readonly app: ReturnType<typeof createIngressApp>;
  readonly operations: ReturnType<typeof createOperationsRoutes>;
  readonly configuration: IngressConfiguration;
  readonly logger: Logger;
}): Promise<{ webhooks: HttpServer; operations: HttpServer }> {
  const { configuration, logger } = input;
  const { host, port, operationsPort, maxConnections, requestTimeoutMs } = configuration;
  const webhooks = await startHttpServer({
    app: input.app,
    host,
    port,
    limits: { maxConnections, requestTimeoutMs },
    purpose: "webhooks",
    logger,
  });
  try {
    const operations = await startHttpServer({
      app: input.operations,
      host,
      port: operationsPort,
      purpose: "operations",
      logger,
    });
    return { webhooks, operations };
  } catch (error) {
    await webhooks.close(0);
    throw error;
  }
}

/** Deliveries that come while a job is being stored travel together in the next one. */
function commitDeliveries(
  producer: Producer<DeliveriesPayload>,
  maxQueuedBytes: number,
): GroupCommit<RawDelivery, void> {
  return createGroupCommit<RawDelivery>({
    maxItems: MAX_DELIVERIES_PER_JOB,
    maxWeight: MAX_BYTES_PER_JOB,
    maxQueued: MAX_WAITING_DELIVERIES,
    maxQueuedWeight: maxQueuedBytes,
    weightOf: (delivery) => delivery.body.byteLength,
    commit: async (deliveries) => {
      await producer.add(await encodeDeliveries(deliveries));
    },
  });
}

/**
 * A sender waits for the commit that is under way and then for its own: while the queue hangs, twice the deadline. It is
 * told to come back after one. What waits then no longer does; what is under way may be stored all the same, which its
 * identity makes harmless.
 */
async function storeInTime(commits: GroupCommit<RawDelivery, void>, delivery: RawDelivery): Promise<void> {
  const leaving = new AbortController();
  try {
    await withDeadline(commits.add(delivery, { signal: leaving.signal }), PRODUCER_DEADLINE_MS, () =>
      queueUnavailable("store the delivery", `no answer within ${String(PRODUCER_DEADLINE_MS)} ms`),
    );
  } finally {
    leaving.abort();
  }
}

function decryptSecrets(keyring: Keyring, integration: WebhookIntegration) {
  const { id, webhookSecretCiphertext, previousSecretCiphertext } = integration;
  return {
    current: keyring.decrypt(webhookSecretCiphertext, webhookSecretContext(id)),
    previous:
      previousSecretCiphertext === null
        ? null
        : keyring.decrypt(previousSecretCiphertext, previousSecretContext(id)),
  };
}

/** 202 means durable: where the queue's server is set so that it is not, an operator has to know. */
async function warnAboutDurability(backend: QueueBackend, logger: Logger): Promise<void> {
  try {
    for (const warning of await backend.durabilityWarnings()) logger.warn({ warning }, "queue.not_durable");
  } catch (error) {
    logger.warn({ err: error }, "queue.durability_unknown");
  }
}
