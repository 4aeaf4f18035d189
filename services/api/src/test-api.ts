import { migrateQueueBackend } from "@sluice/queue/backend";
import { parseQueueUrl } from "@sluice/queue/queue-url";
import { generateKey, parseKeyring } from "@sluice/runtime/keyring";
import { createLogger, type Logger } from "@sluice/runtime/logger";
import { openStore, type Store } from "@sluice/store/client";
import { migrateStore } from "@sluice/store/migrate";

import type { ApiConfiguration } from "./config.ts";
import { startApi, type RunningApi } from "./start-api.ts";

/** An API on a database of its own, as tests use it. Not for anything else. */
export interface TestApi {
  readonly url: string;
  readonly databaseUrl: string;
  readonly store: Store;
  /** Sends JSON with the API's key; `headers` win. A text is sent as it is. */
  call(
    method: string,
    path: string,
    body?: unknown,
    headers?: Readonly<Record<string, string>>,
  ): Promise<Answer>;
  close(): Promise<void>;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  /** Parsed when it is JSON, else the text. */
  readonly body: unknown;
}

/** The key of every API of the tests. */
export const TEST_KEY = "a-key-of-the-tests-0123456789";

/** Names nothing. */
export const NOBODY = "00000000-0000-4000-8000-000000000000";

/** How a browser signs in. */
export const AS_BROWSER = { authorization: `Basic ${btoa(`anyone:${TEST_KEY}`)}` };

/** Brings an empty database to the state that an API and its queue need. */
export async function migrateForApi(url: string): Promise<void> {
  await migrateStore(url);
  await migrateQueueBackend(parseQueueUrl(url));
}

/** On a database that `migrateForApi` has made, and that goes with the API. The queue is on it too. */
export async function createTestApi(database: {
  readonly url: string;
  drop(): Promise<void>;
}): Promise<TestApi> {
  const store = openStore({ url: database.url, maxConnections: 5, applicationName: "test" });
  const api = await startTestApi({ databaseUrl: database.url, queueUrl: database.url });
  return {
    url: api.url,
    databaseUrl: database.url,
    store,
    call: (method, path, body, headers) => call(`${api.url}${path}`, { method, body, headers }),
    async close() {
      await api.close(1_000);
      await store.close();
      await database.drop();
    },
  };
}

/** An API on servers that need not be there. */
export function startTestApi(
  urls: {
    readonly databaseUrl: string;
    readonly queueUrl: string;
    readonly queueNamespace?: string;
  },
  options: {
    readonly configuration?: Partial<ApiConfiguration>;
    readonly showFirstKey?: (text: string) => void;
    /** Default: nothing is logged. */
    readonly logger?: Logger;
  } = {},
): Promise<RunningApi> {
  return startApi({
    ...(options.showFirstKey === undefined ? {} : { showFirstKey: options.showFirstKey }),
    configuration: {
      queueNamespace: "sluice",
      ...urls,
      databasePoolSize: 4,
      logLevel: "silent",
      logFormat: "json",
      drainTimeoutMs: 1_000,
      host: "127.0.0.1",
      port: 0,
      bootstrapKey: TEST_KEY,
      keyring: parseKeyring(generateKey()),
      // Nothing listens there.
      bitbucketApiUrl: "http://127.0.0.1:1/2.0",
      publicUrl: null,
      requestsPerSecond: 100_000,
      wrongKeysPerMinute: 100_000,
      ...options.configuration,
    },
    logger: options.logger ?? createLogger({ service: "api", level: "silent", format: "json" }),
  });
}

/** One request, with the API's key unless `headers` say otherwise. */
export async function call(
  url: string,
  request: {
    readonly method?: string;
    readonly body?: unknown;
    readonly headers?: Readonly<Record<string, string>> | undefined;
  } = {},
): Promise<Answer> {
  const { method = "GET", body, headers } = request;
  const response = await fetch(url, {
    method,
    headers: {
      authorization: `Bearer ${TEST_KEY}`,
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  const isJson = /json/.test(response.headers.get("content-type") ?? "");
  return {
    status: response.status,
    headers: response.headers,
    body: isJson && text !== "" ? JSON.parse(text) : text,
  };
}
