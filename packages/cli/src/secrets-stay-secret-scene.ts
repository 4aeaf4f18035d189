/** A Sluice that keeps everything that it writes, with secrets that can be recognised: for secrets-stay-secret.e2e.test.ts. */
import { randomBytes, randomUUID } from "node:crypto";

import { apiVariables } from "@sluice/api/config";
import { startApi } from "@sluice/api/start-api";
import { createTestDatabase } from "@sluice/embedded/test-database";
import { ingressVariables } from "@sluice/ingress/config";
import { startIngress } from "@sluice/ingress/start-ingress";
import { migrateQueueBackend } from "@sluice/queue/backend";
import { parseQueueUrl } from "@sluice/queue/queue-url";
import { type Environment, loadConfiguration } from "@sluice/runtime/configuration";
import { generateKey } from "@sluice/runtime/keyring";
import { createLogger, type Logger } from "@sluice/runtime/logger";
import { createBitbucket } from "@sluice/simulator/bitbucket";
import { startBitbucketServer } from "@sluice/simulator/rest-server";
import { openStore } from "@sluice/store/client";
import { migrateStore } from "@sluice/store/migrate";
import { workerVariables } from "@sluice/worker/config";
import { startWorker } from "@sluice/worker/start-worker";

import { runCli } from "./cli.ts";
import { dumpDatabase, dumpRedis, type Written } from "./secrets-stay-secret-search.ts";
import type { TestQueue } from "./test-whole-path.ts";

const GRACE_MS = 2_000;
/** Tokens and keys may hold these; each looks otherwise in a URL and in base64. */
const MARKS = "+/=~";

/** One answer over HTTP. */
export interface SceneAnswer {
  readonly status: number;
  /** Parsed where it is JSON. */
  readonly body: unknown;
}

/** Everything that the story needs. */
export type Scene = Awaited<ReturnType<typeof startScene>>;

/** A new secret, which nothing else can hold by accident. */
export function aSecret(name: string): string {
  return `LEAK-${name}-${randomBytes(12).toString("hex")}${MARKS}`;
}

/** A text of that name, wherever it is in an answer; empty when it is nowhere. */
export function stringIn(body: unknown, name: string): string {
  if (typeof body !== "object" || body === null) return "";
  for (const [key, value] of Object.entries(body)) {
    const found = key === name && typeof value === "string" ? value : stringIn(value, name);
    if (found !== "") return found;
  }
  return "";
}

/** Starts all but the worker, which waits for `startWorker`: jobs can be seen before somebody takes them. */
export async function startScene(postgresUrl: string, queue: TestQueue) {
  const written: Written[] = [];
  const logs = keepLogs();
  const surroundings = await arrangeSurroundings(postgresUrl, queue);
  const { environment, store } = surroundings;
  const services = await startServices(environment, logs.loggerOf);
  const request = createRequest(written);
  const { SLUICE_QUEUE_NAMESPACE: namespace, SLUICE_BOOTSTRAP_KEY: bootstrapKey } = environment;
  return {
    ...surroundings,
    written,
    lines: logs.lines,
    apiUrl: services.api.url,
    ingressUrl: services.ingress.url,
    startWorker: services.startWorker,
    request,
    /** Asks the API with a key; default: the bootstrap key. */
    ask: (method: string, path: string, body?: unknown, key: string = bootstrapKey) =>
      request(`answer to ${method} ${path.replaceAll(/[0-9a-f-]{36}/g, "{id}")}`, services.api.url + path, {
        method,
        headers: {
          authorization: `Bearer ${key}`,
          ...(body === undefined ? {} : { "content-type": "application/json" }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      }),
    /** Runs a command line. `more` wins over the environment of the services. */
    async cli(place: string, args: readonly string[], more: Environment = {}) {
      const said = await runCommand(args, { ...environment, ...more });
      written.push({ place: `sluice ${place}`, text: said.out + said.err });
      return said;
    },
    /** What the database and the queue hold at the moment. */
    async dump(when: string): Promise<void> {
      const dumps = await dumpDatabase(store);
      if (queue.url !== null) dumps.push(await dumpRedis(queue.url, namespace));
      written.push(...dumps.map(({ place, text }) => ({ place: `${place}, ${when}`, text })));
    },
    /** What every process tells an operator's machines. */
    async readOperations(): Promise<void> {
      for (const [service, url] of Object.entries(services.operationsUrls())) {
        for (const path of ["/metrics", "/readyz"]) await request(`${service} ${path}`, url + path);
      }
    },
    /** Ends the processes; from here on nothing more is written. */
    async close(): Promise<void> {
      await services.close();
      await surroundings.server.close();
      for (const [service, lines] of Object.entries(logs.lines)) {
        written.push({ place: `log of ${service}`, text: lines.join("") });
      }
    },
  };
}

/** Servers, a Bitbucket, and the environment of the services, whose every secret can be recognised. */
async function arrangeSurroundings(postgresUrl: string, queue: TestQueue) {
  const encryptionKeys = generateKey();
  const tokens = { good: aSecret("access-token"), mailed: aSecret("mailed-token") };
  const [password, bootstrapKey] = [aSecret("database-password"), aSecret("bootstrap-key")];
  const database = await createTestDatabase({ serverUrl: postgresUrl, migrate: migrateStore, key: "store" });
  const login = await createLogin(database.url, password);
  const bitbucket = createBitbucket({ seed: queue.name });
  const server = await startBitbucketServer({
    bitbucket,
    credentials: [
      { kind: "access_token", token: tokens.good },
      { kind: "api_token", email: "robot@acme.example", token: tokens.mailed },
    ],
  });
  const store = openStore({ url: login.url, maxConnections: 2, applicationName: "test" });
  return {
    /** By name, what must not be anywhere. */
    secrets: new Map([
      ["access token", tokens.good],
      ["token with a mail address", tokens.mailed],
      ["bootstrap key", bootstrapKey],
      ["encryption key", encryptionKeys.split(":")[1] ?? ""],
      ["database password", password],
    ]),
    tokens,
    bitbucket,
    server,
    store,
    environment: {
      DATABASE_URL: login.url,
      SLUICE_QUEUE_URL: queue.url ?? login.url,
      SLUICE_QUEUE_NAMESPACE: `leak_${randomUUID().slice(0, 8)}`,
      SLUICE_ENCRYPTION_KEYS: encryptionKeys,
      SLUICE_BOOTSTRAP_KEY: bootstrapKey,
      BITBUCKET_API_URL: server.url,
      SLUICE_PUBLIC_URL: "https://sluice.example.com",
      SWEEP_INTERVAL_MINUTES: "0",
      INGRESS_HOST: "127.0.0.1",
      INGRESS_PORT: "0",
      INGRESS_OPERATIONS_PORT: "0",
      WORKER_HOST: "127.0.0.1",
      WORKER_PORT: "0",
      API_HOST: "127.0.0.1",
      API_PORT: "0",
      LOG_LEVEL: "debug",
    },
    async drop(): Promise<void> {
      await store.close();
      await database.drop();
      await login.drop(postgresUrl);
    },
  };
}

async function startServices(
  environment: Environment & { readonly SLUICE_QUEUE_URL: string; readonly SLUICE_QUEUE_NAMESPACE: string },
  loggerOf: (service: string) => Logger,
) {
  const { SLUICE_QUEUE_URL: queueUrl, SLUICE_QUEUE_NAMESPACE: namespace } = environment;
  await migrateQueueBackend(parseQueueUrl(queueUrl), { namespace });
  const ingress = await startIngress({
    configuration: loadConfiguration(ingressVariables, environment),
    logger: loggerOf("ingress"),
  });
  const api = await startApi({
    configuration: loadConfiguration(apiVariables, environment),
    logger: loggerOf("api"),
  });
  let worker: Awaited<ReturnType<typeof startWorker>> | null = null;
  return {
    ingress,
    api,
    operationsUrls: () => ({ ingress: ingress.operationsUrl, api: api.url, worker: worker?.url ?? "" }),
    async startWorker(): Promise<void> {
      const configuration = loadConfiguration(workerVariables, environment);
      worker = await startWorker({ configuration, logger: loggerOf("worker") });
    },
    async close(): Promise<void> {
      await ingress.close(GRACE_MS);
      await worker?.close(GRACE_MS);
      await api.close(GRACE_MS);
    },
  };
}

/** Logs at their most talkative, kept by service. */
function keepLogs() {
  const lines: Record<string, string[]> = {};
  return {
    lines,
    loggerOf(service: string): Logger {
      const of = (lines[service] ??= []);
      const destination = { write: (line: string) => void of.push(line) };
      return createLogger({ service, level: "trace", format: "json", destination });
    },
  };
}

/** Requests whose answers are kept, headers included. */
function createRequest(written: Written[]) {
  return async (place: string, url: string, init: RequestInit = {}): Promise<SceneAnswer> => {
    const response = await fetch(url, init);
    const text = await response.text();
    written.push({ place, text: `${JSON.stringify([...response.headers])}\n${text}` });
    const isJson = /json/.test(response.headers.get("content-type") ?? "");
    return { status: response.status, body: isJson ? JSON.parse(text) : text };
  };
}

async function runCommand(args: readonly string[], environment: Environment) {
  const said = { out: "", err: "" };
  const code = await runCli(args, {
    environment,
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

/** A role with a password, which the URL holds. */
async function createLogin(databaseUrl: string, password: string) {
  const role = `leak_${randomUUID().slice(0, 8)}`;
  await order(databaseUrl, `CREATE ROLE ${role} SUPERUSER LOGIN PASSWORD '${password}'`);
  const url = new URL(databaseUrl);
  url.username = role;
  url.password = encodeURIComponent(password);
  return { url: url.href, drop: (serverUrl: string) => order(serverUrl, `DROP ROLE ${role}`) };
}

async function order(url: string, statement: string): Promise<void> {
  const admin = openStore({ url, maxConnections: 1, applicationName: "test" });
  try {
    await admin.sql.unsafe(statement);
  } finally {
    await admin.close();
  }
}
