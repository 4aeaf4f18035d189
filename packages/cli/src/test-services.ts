/** The services in this process, as the tests of the whole path use them. */
import { apiVariables } from "@sluice/api/config";
import { startApi } from "@sluice/api/start-api";
import { ingressVariables } from "@sluice/ingress/config";
import { startIngress } from "@sluice/ingress/start-ingress";
import { migrateQueueBackend } from "@sluice/queue/backend";
import { parseQueueUrl } from "@sluice/queue/queue-url";
import { loadConfiguration } from "@sluice/runtime/configuration";
import { createLogger } from "@sluice/runtime/logger";
import { workerVariables } from "@sluice/worker/config";
import { startWorker } from "@sluice/worker/start-worker";

const GRACE_MS = 1_000;

/**
 * An ingress, an API and a worker on servers that are there, each on a port of its own. `warnings`: what the worker logs,
 * from `warn` on.
 */
export async function startTestServices(servers: {
  readonly SLUICE_QUEUE_URL: string;
  readonly SLUICE_QUEUE_NAMESPACE: string;
  readonly [name: string]: string;
}) {
  const environment = {
    ...servers,
    // What is told is told by webhooks.
    SWEEP_INTERVAL_MINUTES: "0",
    INGRESS_HOST: "127.0.0.1",
    INGRESS_PORT: "0",
    INGRESS_OPERATIONS_PORT: "0",
    WORKER_HOST: "127.0.0.1",
    WORKER_PORT: "0",
    API_HOST: "127.0.0.1",
    API_PORT: "0",
  };
  const namespace = servers.SLUICE_QUEUE_NAMESPACE;
  await migrateQueueBackend(parseQueueUrl(servers.SLUICE_QUEUE_URL), { namespace });
  const logger = createLogger({ service: "test", level: "error", format: "json" });
  const ingress = await startIngress({
    configuration: loadConfiguration(ingressVariables, environment),
    logger,
  });
  const api = await startApi({ configuration: loadConfiguration(apiVariables, environment), logger });
  const warnings: Record<string, unknown>[] = [];
  const startAWorker = () =>
    startWorker({
      configuration: loadConfiguration(workerVariables, environment),
      logger: createLogger({
        service: "worker",
        level: "warn",
        format: "json",
        destination: { write: (line) => void warnings.push(toFields(line)) },
      }),
    });
  let running = await startAWorker();
  const worker = {
    url: () => running.url,
    async restart(): Promise<void> {
      await running.close(GRACE_MS);
      running = await startAWorker();
    },
    close: () => running.close(GRACE_MS),
  };
  return { ingress, api, worker, warnings };
}

function toFields(line: string): Record<string, unknown> {
  // A line of this format is one JSON object.
  const fields: Record<string, unknown> = JSON.parse(line);
  return fields;
}
