import { openQueueBackend } from "@sluice/queue/backend";
import { createQueueReader } from "@sluice/queue/queue-reader";
import { parseQueueUrl } from "@sluice/queue/queue-url";
import { startHttpServer } from "@sluice/runtime/http-server";
import type { RunningService } from "@sluice/runtime/lifecycle";
import type { Logger } from "@sluice/runtime/logger";
import { createMetrics, observeQueues } from "@sluice/runtime/metrics";
import { createOperationsRoutes } from "@sluice/runtime/operations-routes";
import { openStore } from "@sluice/store/client";

import { createApiApp } from "./app.ts";
import { createKeyCheck } from "./authentication.ts";
import type { ApiConfiguration } from "./config.ts";
import { createDashboard } from "./dashboard.ts";

export interface RunningApi extends RunningService {
  readonly url: string;
}

/** Starts answering schedulers and people. Postgres and the queue may be away at that time: the answer is then 503. */
export async function startApi(input: {
  readonly configuration: ApiConfiguration;
  readonly logger: Logger;
  readonly signal?: AbortSignal;
}): Promise<RunningApi> {
  const { configuration, logger, signal } = input;
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
    db: store,
    isKey: createKeyCheck(configuration.bootstrapKey),
    dashboard,
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
  return {
    url: server.url,
    async close(graceMs) {
      await server.close(graceMs);
      await letGo();
    },
  };
}
