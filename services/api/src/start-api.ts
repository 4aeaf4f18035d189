import { createBitbucketClients } from "@sluice/bitbucket/clients";
import { credentialContext } from "@sluice/domain/secret-context";
import { openQueueBackend } from "@sluice/queue/backend";
import { createQueueReader } from "@sluice/queue/queue-reader";
import { parseQueueUrl } from "@sluice/queue/queue-url";
import { startHttpServer } from "@sluice/runtime/http-server";
import type { RunningService } from "@sluice/runtime/lifecycle";
import type { Logger } from "@sluice/runtime/logger";
import { createMetrics, observeQueues } from "@sluice/runtime/metrics";
import { createOperationsRoutes } from "@sluice/runtime/operations-routes";
import { createCallBudget } from "@sluice/store/call-budget";
import { openStore, type Store } from "@sluice/store/client";
import { findCredential } from "@sluice/store/integrations";

import { makeFirstKey } from "./access/first-key.ts";
import { createIdentify } from "./access/identify.ts";
import { createApiApp } from "./app.ts";
import type { ApiConfiguration } from "./config.ts";
import { createDashboard } from "./dashboard.ts";

/** Somebody waits for the answer, and is answered in ten seconds: see `answerInTime`. */
const BITBUCKET_TIMEOUTS = { headersMs: 3_000, bodyMs: 1_000 };

export interface RunningApi extends RunningService {
  readonly url: string;
}

/** Starts answering schedulers and people. Postgres and the queue may be away at that time: the answer is then 503. */
export async function startApi(input: {
  readonly configuration: ApiConfiguration;
  readonly logger: Logger;
  readonly signal?: AbortSignal;
  /** Where the first key of an installation is shown; default: standard output. */
  readonly showFirstKey?: (text: string) => void;
}): Promise<RunningApi> {
  const { configuration, logger, signal, showFirstKey = (text) => process.stdout.write(text) } = input;
  const store = openStore({
    url: configuration.databaseUrl,
    maxConnections: configuration.databasePoolSize,
    applicationName: "sluice-api",
  });
  const backend = openQueueBackend(parseQueueUrl(configuration.queueUrl), {
    logger,
    namespace: configuration.queueNamespace,
  });
  const dashboard = createDashboard(backend);
  const reader = createQueueReader(backend);
  const letGo = async (): Promise<void> => {
    await Promise.all([dashboard.close(), reader.close()]);
    await backend.close();
    await store.close();
  };

  const metrics = createMetrics({ service: "api" });
  observeQueues(metrics, () => reader.read());
  const app = createApiApp({
    store,
    keyring: configuration.keyring,
    identify: createIdentify(store, configuration.bootstrapKey),
    limits: configuration,
    dashboard,
    bitbucket: createClients(store, configuration),
    publicUrl: configuration.publicUrl,
    operations: createOperationsRoutes({
      metrics,
      // Without the queue everything but its dashboard works.
      checks: { postgres: () => store.sql`SELECT 1` },
      ...(signal === undefined ? {} : { signal }),
    }),
    logger,
  });
  const server = await startHttpServer({
    app,
    host: configuration.host,
    port: configuration.port,
    logger,
  }).catch(async (error: unknown) => {
    await letGo();
    throw error;
  });
  const closing = new AbortController();
  const firstKey =
    configuration.bootstrapKey === null
      ? makeFirstKey({ db: store, show: showFirstKey, logger, signal: closing.signal }).catch(
          (error: unknown) => {
            logger.error({ err: error }, "api.first_key_failed");
          },
        )
      : Promise.resolve();
  return {
    url: server.url,
    async close(graceMs) {
      closing.abort();
      await firstKey;
      await server.close(graceMs);
      await letGo();
    },
  };
}

function createClients(store: Store, { bitbucketApiUrl, keyring }: ApiConfiguration) {
  return createBitbucketClients({
    findCredential: (integrationId) => findCredential(store, integrationId),
    decryptCredential: ({ id, ciphertext }) => keyring.decrypt(ciphertext, credentialContext(id)),
    budget: createCallBudget(store),
    baseUrl: bitbucketApiUrl,
    onCall: () => undefined,
    timeouts: BITBUCKET_TIMEOUTS,
  });
}
