import {
  type BitbucketClients,
  type BitbucketClientsOptions,
  createBitbucketClients,
} from "@sluice/bitbucket/clients";
import { credentialContext } from "@sluice/domain/secret-context";
import { createQueueAdministration, type QueueAdministration } from "@sluice/queue/administration";
import { openQueueBackend } from "@sluice/queue/backend";
import { createConsumer, type JobOutcome } from "@sluice/queue/consumer";
import { createProducer } from "@sluice/queue/producer";
import { createQueueReader } from "@sluice/queue/queue-reader";
import { parseQueueUrl } from "@sluice/queue/queue-url";
import { deliveriesQueue, eventsQueue } from "@sluice/queue/queues";
import { observeCredentials } from "@sluice/runtime/credential-metrics";
import { startHttpServer } from "@sluice/runtime/http-server";
import type { RunningService } from "@sluice/runtime/lifecycle";
import type { Logger } from "@sluice/runtime/logger";
import {
  countJobs,
  createMetrics,
  observeBitbucket,
  observeQueues,
  observeTriggerLatency,
  type JobOutcome as CountedOutcome,
} from "@sluice/runtime/metrics";
import { createOperationsRoutes } from "@sluice/runtime/operations-routes";
import { createCallBudget, deleteOldCallCounts, listRemainingCalls } from "@sluice/store/call-budget";
import { expireLeases } from "@sluice/store/claims";
import { openStore, type Store } from "@sluice/store/client";
import { findCredential } from "@sluice/store/integrations";

import type { WorkerConfiguration } from "./config.ts";
import { createPipeline, jobIdsOf, type Pipeline } from "./pipeline.ts";
import { startCredentialStandings } from "./repair/check-credentials-standing.ts";
import { startCredentialChecks } from "./repair/check-credentials.ts";
import { startCommitLinks } from "./repair/link-commits.ts";
import { requeuePendingEvents } from "./repair/requeue-pending.ts";
import { startRetention, type RetentionPolicy } from "./repair/retention.ts";
import { runEvery, type Recurring } from "./repair/run-every.ts";
import { startSweep } from "./repair/sweep.ts";
import { createCredentialGuards } from "./resolve/guard-credential.ts";

const REQUEUE_INTERVAL_MS = 30_000;
const RETRY_FAILED_INTERVAL_MS = 10 * 60_000;
const LEASE_INTERVAL_MS = 5_000;
const BUDGET_INTERVAL_MS = 15_000;
const MINUTE_MS = 60_000;
/** Of a check of a credential, which asks for little, and for whose end a worker waits that stops. */
const CHECK_TIMEOUTS = { headersMs: 5_000, bodyMs: 5_000 };

const COUNTED_OUTCOMES: Readonly<Record<JobOutcome["kind"], CountedOutcome>> = {
  complete: "completed",
  retry: "retried",
  postpone: "retried",
  fail: "failed",
};

export interface RunningWorker extends RunningService {
  /** Of its health checks and metrics. */
  readonly url: string;
}

/** Starts taking jobs. Postgres and the queue may be away at that time: work begins when they are there. */
export async function startWorker(input: {
  readonly configuration: WorkerConfiguration;
  readonly logger: Logger;
  readonly signal?: AbortSignal;
}): Promise<RunningWorker> {
  const { configuration, logger, signal } = input;
  const store = openStore({
    url: configuration.databaseUrl,
    maxConnections: configuration.databasePoolSize,
    applicationName: "sluice-worker",
  });
  const backend = openQueueBackend(parseQueueUrl(configuration.queueUrl), {
    logger,
    namespace: configuration.queueNamespace,
  });
  const administration = createQueueAdministration(backend);
  const reader = createQueueReader(backend);
  const deliveries = createProducer(backend, deliveriesQueue);
  const events = createProducer(backend, eventsQueue);

  const letGo = async (): Promise<void> => {
    await Promise.all([deliveries.close(), events.close(), administration.close(), reader.close()]);
    await backend.close();
    await store.close();
  };

  const metrics = createMetrics({ service: "worker" });
  const count = countJobs(metrics);
  const bitbucket = observeBitbucket(metrics);
  observeQueues(metrics, () => reader.read());
  const server = await startHttpServer({
    app: createOperationsRoutes({
      metrics,
      checks: { postgres: () => store.sql`SELECT 1`, queue: () => backend.check() },
      ...(signal === undefined ? {} : { signal }),
    }),
    host: configuration.host,
    port: configuration.port,
    logger,
  }).catch(async (error: unknown) => {
    await letGo();
    throw error;
  });

  const clientOptions: BitbucketClientsOptions = {
    findCredential: (integrationId) => findCredential(store, integrationId),
    budget: createCallBudget(store),
    baseUrl: configuration.bitbucketApiUrl,
    decryptCredential: ({ id, ciphertext }) =>
      configuration.keyring.decrypt(ciphertext, credentialContext(id)),
    onCall: ({ endpoint, status }) => bitbucket.called({ endpoint, status: status ?? "error" }),
  };
  const clients = createBitbucketClients({
    ...clientOptions,
    guard: createCredentialGuards({ store, logger }),
  });
  const checkingClients = createBitbucketClients({ ...clientOptions, timeouts: CHECK_TIMEOUTS });
  const pipeline = createPipeline({
    store,
    logger,
    deliveries,
    events,
    clientOf: (integrationId) => clients.of(integrationId),
    observeLatencyMs: observeTriggerLatency(metrics),
    maxTriggersPerEvent: configuration.maxTriggersPerEvent,
  });
  const onOutcome =
    (queue: string) =>
    ({ kind }: JobOutcome) =>
      count({ queue, outcome: COUNTED_OUTCOMES[kind] });
  const consumers = [
    createConsumer(backend, deliveriesQueue, pipeline.handleDeliveries, {
      concurrency: configuration.recordConcurrency,
      logger,
      onOutcome: onOutcome(deliveriesQueue.name),
    }),
    createConsumer(backend, eventsQueue, pipeline.handleEvent, {
      concurrency: configuration.eventConcurrency,
      logger,
      onOutcome: onOutcome(eventsQueue.name),
    }),
  ];
  const sweep = startSweep({
    store,
    logger,
    deliveries,
    queues: reader,
    clientOf: (integrationId) => clients.of(integrationId),
    intervalMs:
      configuration.sweepIntervalMinutes === 0 ? null : configuration.sweepIntervalMinutes * MINUTE_MS,
    graceMs: configuration.sweepGraceSeconds * 1_000,
  });
  const commitLinks = startCommitLinks({
    store,
    logger,
    clientOf: (integrationId) => clients.of(integrationId),
    graceMs: configuration.sweepGraceSeconds * 1_000,
  });
  const recurring = startRecurringWork({
    store,
    logger,
    pipeline,
    administration,
    checkingClients,
    showCredentials: observeCredentials(metrics),
    budgetRemaining: bitbucket.budgetRemaining,
    retention: {
      rawDays: configuration.retentionRawDays,
      decisionsDays: configuration.retentionDecisionsDays,
    },
  });
  return {
    url: server.url,
    async close(graceMs) {
      await Promise.all([
        sweep.stop(),
        commitLinks.stop(),
        ...recurring.map((work) => work.stop()),
        ...consumers.map((consumer) => consumer.close(graceMs)),
      ]);
      await pipeline.drain();
      await server.close(graceMs);
      await letGo();
    },
  };
}

function startRecurringWork(input: {
  readonly store: Store;
  readonly logger: Logger;
  readonly pipeline: Pipeline;
  readonly administration: QueueAdministration;
  readonly checkingClients: BitbucketClients;
  readonly showCredentials: ReturnType<typeof observeCredentials>;
  readonly budgetRemaining: (budget: { readonly credentialId: string; readonly remaining: number }) => void;
  readonly retention: RetentionPolicy;
}): Recurring[] {
  const { store, logger, pipeline, administration, budgetRemaining, retention } = input;
  return [
    startRetention({ store, logger, policy: retention }),
    startCredentialChecks({
      store,
      logger,
      clientOf: (integrationId) => input.checkingClients.of(integrationId),
      goOn: (eventIds) => administration.promotePostponed(eventsQueue, eventIds.flatMap(jobIdsOf)),
    }),
    startCredentialStandings({ store, logger, show: input.showCredentials }),
    runEvery({
      name: "requeue-pending-events",
      intervalMs: REQUEUE_INTERVAL_MS,
      logger,
      work: () => requeuePendingEvents({ store, logger, enqueueEvents: pipeline.enqueueEvents }),
    }),
    runEvery({
      name: "retry-failed-events",
      intervalMs: RETRY_FAILED_INTERVAL_MS,
      logger,
      // Until an event is decided, nothing later on its branch is handed out: it is not left among the failed jobs.
      work: async () => {
        const retried = await administration.retryFailed(eventsQueue, "all");
        if (retried > 0) logger.warn({ jobs: retried }, "events.retried");
      },
    }),
    runEvery({
      name: "expire-leases",
      intervalMs: LEASE_INTERVAL_MS,
      logger,
      work: async () => {
        await expireLeases(store);
      },
    }),
    runEvery({
      name: "call-budgets",
      intervalMs: BUDGET_INTERVAL_MS,
      logger,
      work: async () => {
        await deleteOldCallCounts(store);
        for (const { integrationId, remaining } of await listRemainingCalls(store)) {
          budgetRemaining({ credentialId: integrationId, remaining });
        }
      },
    }),
  ];
}
