/** Our services under test, configured as an operator would: by environment variables, with the defaults of the rest. */
import { findFreePort, LOOPBACK } from "@sluice/embedded/free-port";
import { migrateQueueBackend } from "@sluice/queue/backend";
import { parseQueueUrl } from "@sluice/queue/queue-url";
import type { Bench } from "./bench.ts";
import { startService, type ServiceProcess } from "./child-process.ts";
import type { Seed } from "./database.ts";
import type { BackendName } from "./options.ts";
import type { Resources } from "./resources.ts";

/** Servers and secrets of one run. */
export interface OurRun {
  readonly databaseUrl: string;
  readonly queueUrl: string;
  readonly seed: Seed;
}

/** Where the queue of a run is. */
export interface PreparedQueue {
  readonly queueUrl: string;
  /** Of every server that the run uses. */
  readonly serverPids: readonly number[];
}

/** The queue's servers of one run: a Redis of its own, or the run's database. */
export async function prepareQueue(
  bench: Bench,
  input: { readonly backend: BackendName; readonly databaseUrl: string; readonly resources: Resources },
): Promise<PreparedQueue> {
  const { backend, databaseUrl, resources } = input;
  const { servers } = bench;
  const redis = backend === "redis" ? await servers.startRedis(resources) : null;
  const queueUrl = redis?.url ?? databaseUrl;
  await migrateQueueBackend(parseQueueUrl(queueUrl));
  return { queueUrl, serverPids: [servers.postgresPid, ...(redis === null ? [] : [redis.pid])] };
}

/** Starts the ingress. */
export async function startIngress(
  bench: Bench,
  run: OurRun,
  resources: Resources,
): Promise<ServiceProcess & { readonly url: string }> {
  const port = await findFreePort();
  const operationsPort = await findFreePort();
  const environment = {
    ...commonEnvironment(bench, run),
    INGRESS_HOST: LOOPBACK,
    INGRESS_PORT: String(port),
    INGRESS_OPERATIONS_PORT: String(operationsPort),
  };
  const started = await startService("ingress", environment, {
    workplace: bench.workplace,
    resources,
    url: `http://${LOOPBACK}:${operationsPort}`,
  });
  return { ...started, url: `http://${LOOPBACK}:${port}` };
}

/** Starts a worker. `bitbucketUrl` null = nothing that it does asks Bitbucket. */
export async function startWorker(
  bench: Bench,
  run: OurRun & { readonly bitbucketUrl: string | null },
  resources: Resources,
): Promise<ServiceProcess> {
  const port = await findFreePort();
  const environment = {
    ...commonEnvironment(bench, run),
    WORKER_HOST: LOOPBACK,
    WORKER_PORT: String(port),
    BITBUCKET_API_URL: run.bitbucketUrl ?? `http://${LOOPBACK}:9/2.0`,
  };
  const url = `http://${LOOPBACK}:${port}`;
  return startService("worker", environment, { workplace: bench.workplace, resources, url });
}

/** Logs as in production: one JSON line for each webhook and event, to a file. */
function commonEnvironment(bench: Bench, { databaseUrl, queueUrl, seed }: OurRun): Record<string, string> {
  return {
    DATABASE_URL: databaseUrl,
    SLUICE_QUEUE_URL: queueUrl,
    SLUICE_ENCRYPTION_KEYS: seed.encryptionKeys,
    LOG_LEVEL: "info",
    SWEEP_INTERVAL_MINUTES: "0",
    LOG_FORMAT: "json",
    ...bench.options.environment,
  };
}
