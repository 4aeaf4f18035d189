import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";

import { createTestDatabase, type TestDatabase } from "@sluice/embedded/test-database";
import { loadConfiguration } from "@sluice/runtime/configuration";
import { generateKey } from "@sluice/runtime/keyring";
import { createLogger } from "@sluice/runtime/logger";
import { migrateStore } from "@sluice/store/migrate";
import { afterAll, beforeAll, expect, inject, onTestFinished, test } from "vitest";

import { ingressVariables } from "./config.ts";
import { startIngress } from "./start-ingress.ts";

let database: TestDatabase;

beforeAll(async () => {
  const serverUrl = inject("postgresUrl");
  database = await createTestDatabase({ serverUrl, migrate: migrateStore, key: "store" });
});

afterAll(() => database.drop());

/** Where somebody accepts connections and never answers. */
async function startSilentServer(): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined).resume();
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, "close");
  });
  // A server that listens on TCP has an address with a port.
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Nothing listens there. */
const NOWHERE = "127.0.0.1:1";

test.each([
  ["Redis that is not there", "redis://", false],
  ["Redis that hangs", "redis://", true],
  ["a Postgres that is not there", "postgres://nobody@", false],
  ["a Postgres that hangs", "postgres://nobody@", true],
])("metrics are told with the queue on %s, without what it holds", async (_, scheme, hangs) => {
  const ingress = await startIngress({
    configuration: loadConfiguration(ingressVariables, {
      DATABASE_URL: database.url,
      SLUICE_QUEUE_URL: `${scheme}${hangs ? await startSilentServer() : NOWHERE}/0`,
      SLUICE_ENCRYPTION_KEYS: generateKey(),
      INGRESS_HOST: "127.0.0.1",
      INGRESS_PORT: "0",
      INGRESS_OPERATIONS_PORT: "0",
    }),
    logger: createLogger({ service: "ingress", level: "silent", format: "json" }),
  });
  onTestFinished(() => ingress.close(0));
  const scrape = async () => {
    const answer = await fetch(`${ingress.operationsUrl}/metrics`);
    return { status: answer.status, body: await answer.text() };
  };
  const first = await scrape();
  expect(first.status).toBe(200);
  expect(first.body).toContain('sluice_deliveries_total{answer="202"');
  expect(first.body).not.toContain("sluice_queue_depth{");
  expect((await scrape()).body).toMatch(/^sluice_queue_readings_failed_total\{[^}]*\} [1-9]/m);
});
