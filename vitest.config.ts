import { defineConfig } from "vitest/config";

// Tests run the sources, so that a stale build can never make them pass.
const resolve = { conditions: ["source"] };
const ssr = { resolve: { conditions: ["source"], externalConditions: ["source"] } };
const packages = "{packages,services}/*/src/**";

export default defineConfig({
  resolve,
  ssr,
  test: {
    projects: [
      {
        resolve,
        ssr,
        test: {
          name: "unit",
          include: [`${packages}/*.test.ts`, "scripts/*.test.mjs"],
          exclude: [`${packages}/*.{int,e2e}.test.ts`],
        },
      },
      {
        resolve,
        ssr,
        test: {
          name: "int",
          include: [`${packages}/*.{int,e2e}.test.ts`],
          // Starts one Postgres and one Redis for the whole run; each test file makes a database and a prefix of its own.
          globalSetup: ["packages/embedded/src/test-servers.ts"],
          testTimeout: 30_000,
          hookTimeout: 60_000,
          // What is polled for comes when the machine has time for it.
          expect: { poll: { timeout: 20_000 } },
          maxWorkers: 2,
        },
      },
    ],
  },
});
