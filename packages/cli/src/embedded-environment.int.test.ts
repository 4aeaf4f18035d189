import { randomUUID } from "node:crypto";
import { readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseKeyring } from "@sluice/runtime/keyring";
import { openStore } from "@sluice/store/client";
import { afterAll, expect, test } from "vitest";

import { startEmbeddedEnvironment } from "./embedded-environment.ts";
import { startServices } from "./run-everything.ts";
import { findEnvironment } from "./running-environment.ts";
import { runTestCli } from "./test-cli-run.ts";

// Not made here: the start makes it so that the server's user can enter it.
const dataDirectory = join(tmpdir(), `sluice-embedded-${randomUUID()}`);

afterAll(async () => {
  await rm(dataDirectory, { recursive: true });
});

const start = (environment: Record<string, string> = {}) =>
  startEmbeddedEnvironment({ dataDirectory, environment, onProgress: () => undefined });

/** What another command, run in the same folder, works with. */
function findFromOutside(environment: Record<string, string> = {}) {
  return findEnvironment({
    environment: { SLUICE_DATA_DIRECTORY: dataDirectory, ...environment },
    workingDirectory: "/",
    report: () => undefined,
  });
}

test("everything that services need is made once, for the owner alone, and found by other commands meanwhile", async () => {
  const first = await start();
  const made = first.environment;
  expect(made["SLUICE_QUEUE_URL"]).toBe(made["DATABASE_URL"]);
  expect(made["SLUICE_BOOTSTRAP_KEY"]).toMatch(/^[\w-]{43}$/);
  expect(() => parseKeyring(made["SLUICE_ENCRYPTION_KEYS"] ?? "")).not.toThrow();
  const files = (await readdir(dataDirectory)).filter((name) => name !== "postgres").toSorted();
  expect(files).toEqual(["bootstrap-key", "encryption-keys", "running.json"]);
  for (const file of files) expect((await stat(join(dataDirectory, file))).mode & 0o777).toBe(0o600);

  expect(findFromOutside()["DATABASE_URL"]).toBe(made["DATABASE_URL"]);
  expect(findFromOutside({ LOG_LEVEL: "warn", SLUICE_QUEUE_URL: "redis://q" })).toMatchObject({
    LOG_LEVEL: "warn",
    SLUICE_QUEUE_URL: "redis://q",
  });
  const own = { DATABASE_URL: "postgres://elsewhere/db" };
  expect(findFromOutside(own)["SLUICE_ENCRYPTION_KEYS"]).toBeUndefined();

  const store = openStore({ url: made["DATABASE_URL"] ?? "", maxConnections: 1, applicationName: "test" });
  const spaces = await store.sql`SELECT name FROM sluice.spaces`;
  await store.close();
  expect([...spaces]).toEqual([{ name: "root" }]);
  await first.stop();
  expect(findFromOutside()["DATABASE_URL"]).toBeUndefined();

  const second = await start({ SLUICE_QUEUE_URL: "redis://127.0.0.1:1", SLUICE_BOOTSTRAP_KEY: "mine" });
  await second.stop();
  expect(second.environment).toMatchObject({
    SLUICE_ENCRYPTION_KEYS: made["SLUICE_ENCRYPTION_KEYS"],
    SLUICE_BOOTSTRAP_KEY: "mine",
  });
}, 60_000);

test("all services run on it in one process, and stop", async () => {
  const embedded = await start();
  const local = { INGRESS_HOST: "127.0.0.1", WORKER_HOST: "127.0.0.1", API_HOST: "127.0.0.1" };
  const anyPort = { INGRESS_PORT: "0", INGRESS_OPERATIONS_PORT: "0", WORKER_PORT: "0", API_PORT: "0" };
  const environment = { ...embedded.environment, ...local, ...anyPort, LOG_LEVEL: "error" };
  const services = await startServices(environment, new AbortController().signal);
  await embedded.announceApi(services.urls.api);
  const outside = { SLUICE_DATA_DIRECTORY: dataDirectory };
  expect(await runTestCli(["space", "list"], { environment: outside })).toMatchObject({
    code: 0,
    out: expect.stringMatching(/^root /m),
    err: expect.stringMatching(/^Using the embedded Sluice that runs here/),
  });
  const examined = await runTestCli(["doctor"], { environment: outside });
  expect(examined.out).toMatch(/^ok {4}api_alive: /m);
  expect(examined.out).toMatch(/^ok {4}worker_alive: /m);
  for (const url of Object.values(services.operationsUrls)) {
    await expect.poll(async () => (await fetch(`${url}/readyz`)).status, { timeout: 20_000 }).toBe(200);
  }
  await services.close(5_000);
  const urls = [...Object.values(services.urls), services.operationsUrls.ingress];
  for (const url of urls) await expect(fetch(url)).rejects.toThrow("fetch failed");
  await embedded.stop();
}, 60_000);

test("of a start that fails nothing is left", async () => {
  const embedded = await start();
  const environment = {
    ...embedded.environment,
    INGRESS_HOST: "127.0.0.1",
    INGRESS_PORT: "0",
    INGRESS_OPERATIONS_PORT: "0",
    WORKER_HOST: "192.0.2.1",
    LOG_LEVEL: "silent",
  };
  await expect(startServices(environment, new AbortController().signal)).rejects.toMatchObject({
    code: "host_unavailable",
  });
  // It would wait for connections that were left open.
  await embedded.stop();
}, 60_000);
