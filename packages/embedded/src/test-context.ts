/** What test-servers.ts provides to the tests of a run, typed. */
import { inject, type ProvidedContext } from "vitest";

declare module "vitest" {
  interface ProvidedContext {
    /** A superuser's URL on the Postgres of this run; make a database of your own (test-database.ts). */
    postgresUrl: string;
    /** null = there is no Redis on this machine: skip, the run has said so. */
    redisUrl: string | null;
  }
}

/** The servers of this run, as `inject` knows them. */
export type TestServers = Pick<ProvidedContext, "postgresUrl" | "redisUrl">;

/** The servers of this run. Importing this file, or test-database.ts, also types `inject("redisUrl")`. */
export function injectTestServers(): TestServers {
  return { postgresUrl: inject("postgresUrl"), redisUrl: inject("redisUrl") };
}
