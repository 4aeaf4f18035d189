/** An API on a database of its own, beside a simulated Bitbucket, and the command line that speaks to it: for tests. */
import { migrateForApi, startTestApi, TEST_KEY } from "@sluice/api/test-api";
import { createTestDatabase } from "@sluice/embedded/test-database";
import { type Bitbucket, createBitbucket } from "@sluice/simulator/bitbucket";
import { startBitbucketServer } from "@sluice/simulator/rest-server";
import { openStore, type Store } from "@sluice/store/client";
import { afterAll, beforeAll, inject } from "vitest";

import { runTestCli, type TestOutcome, type TestSurroundings } from "../test-cli-run.ts";

/** What the simulated Bitbucket takes. */
export const TOKEN = "the-token-of-the-tests";
/** Where the ingress of the tests is said to be. */
export const PUBLIC_URL = "https://sluice.example.com";

/** The API of a test file. */
export interface CliApi {
  readonly url: string;
  readonly databaseUrl: string;
  readonly store: Store;
  readonly bitbucket: Bitbucket;
  /** Runs a command line with the API's address and a key of an admin of the root, unless `environment` says another. */
  run(args: readonly string[], surroundings?: TestSurroundings): Promise<TestOutcome>;
  /** The same, with `--json`. @returns what was printed. @throws Error unless the exit code is `code`, 0 if not given. */
  json(args: readonly string[], code?: number): Promise<unknown>;
}

/** Starts it before the tests of the file, and stops it after them. */
export function useCliApi(): CliApi {
  const bitbucket = createBitbucket({ seed: "the command line" });
  let running: Pick<CliApi, "url" | "databaseUrl" | "store"> & { close(): Promise<void> };

  beforeAll(async () => {
    const serverUrl = inject("postgresUrl");
    const database = await createTestDatabase({ serverUrl, migrate: migrateForApi, key: "api" });
    const server = await startBitbucketServer({
      bitbucket,
      credentials: [{ kind: "access_token", token: TOKEN }],
    });
    const store = openStore({ url: database.url, maxConnections: 3, applicationName: "test" });
    const api = await startTestApi(
      { databaseUrl: database.url, queueUrl: database.url },
      { configuration: { bitbucketApiUrl: server.url, publicUrl: PUBLIC_URL } },
    );
    running = {
      url: api.url,
      databaseUrl: database.url,
      store,
      async close() {
        await api.close(1_000);
        await server.close();
        await store.close();
        await database.drop();
      },
    };
  });
  afterAll(async () => {
    await running.close();
  });

  const run: CliApi["run"] = (args, surroundings = {}) =>
    runTestCli(args, {
      ...surroundings,
      environment: { SLUICE_URL: running.url, SLUICE_API_KEY: TEST_KEY, ...surroundings.environment },
    });
  return {
    get url() {
      return running.url;
    },
    get databaseUrl() {
      return running.databaseUrl;
    },
    get store() {
      return running.store;
    },
    bitbucket,
    run,
    async json(args, expected = 0) {
      const { code, out, err } = await run([...args, "--json"]);
      if (code !== expected) throw new Error(`${args.join(" ")} ended with ${String(code)}: ${err}`);
      return JSON.parse(out);
    },
  };
}
