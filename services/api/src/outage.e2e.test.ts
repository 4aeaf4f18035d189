import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";

import { createTestDatabase } from "@sluice/embedded/test-database";
import { afterAll, beforeAll, expect, inject, onTestFinished, test } from "vitest";

import {
  AS_BROWSER,
  call,
  createTestApi,
  migrateForApi,
  NOBODY,
  startTestApi,
  type TestApi,
} from "./test-api.ts";

/** Nothing listens there. */
const NOWHERE = "127.0.0.1:1";

let api: TestApi;

beforeAll(async () => {
  const serverUrl = inject("postgresUrl");
  api = await createTestApi(await createTestDatabase({ serverUrl, migrate: migrateForApi, key: "api" }));
});

afterAll(() => api.close());

test("without Postgres the answer is a 503 that says when to ask again", async () => {
  const lonely = await startTestApi({
    databaseUrl: `postgres://nobody:secret@${NOWHERE}/none`,
    queueUrl: api.databaseUrl,
  });
  try {
    const answer = await call(`${lonely.url}/v1/triggers/${NOBODY}`);
    expect(answer).toMatchObject({ status: 503, body: { type: "urn:sluice:problem:unavailable" } });
    expect(answer.headers.get("retry-after")).toBe("2");
    expect(JSON.stringify(answer.body)).not.toContain("secret");
    expect((await call(`${lonely.url}/readyz`)).status).toBe(503);
    expect((await call(`${lonely.url}/healthz`)).status).toBe(200);
  } finally {
    await lonely.close(1_000);
  }
});

test("without the queue its dashboard is a 503, and all else works", async () => {
  const lonely = await startTestApi({ databaseUrl: api.databaseUrl, queueUrl: `redis://${NOWHERE}` });
  try {
    expect(await call(`${lonely.url}/queues`, { headers: AS_BROWSER })).toMatchObject({
      status: 503,
      body: { type: "urn:sluice:problem:unavailable" },
    });
    expect((await call(`${lonely.url}/readyz`)).status).toBe(200);
    const metrics = await call(`${lonely.url}/metrics`);
    expect(metrics).toMatchObject({ status: 200, body: expect.not.stringContaining("sluice_queue_depth{") });
    expect((await call(`${lonely.url}/v1/triggers/${NOBODY}`)).status).toBe(404);
  } finally {
    await lonely.close(1_000);
  }
});

// The connections themselves would give up after 35 s of silence, above the time that a test has.
test("while Postgres hangs every request is answered with a 503, and when it is back all works again", async () => {
  const postgres = await startFreezablePostgres(api.databaseUrl);
  const own = await startTestApi({ databaseUrl: postgres.url, queueUrl: api.databaseUrl });
  onTestFinished(() => own.close(0));
  const look = () => call(`${own.url}/v1/triggers/${NOBODY}`);
  const claim = () =>
    call(`${own.url}/v1/triggers/claim`, { method: "POST", body: { holder: "a-scheduler" } });
  expect([(await look()).status, (await claim()).status]).toEqual([404, 200]);

  postgres.freeze();
  const answers = await Promise.all(Array.from({ length: 30 }, (_, at) => (at % 2 === 0 ? look() : claim())));
  answers.push(await look(), await claim());
  for (const answer of answers) {
    expect(answer).toMatchObject({ status: 503, body: { type: "urn:sluice:problem:unavailable" } });
    expect(answer.headers.get("retry-after")).toBe("2");
  }

  postgres.restart();
  const statuses = async () => [(await look()).status, (await claim()).status];
  await expect.poll(statuses, { timeout: 15_000 }).toEqual([404, 200]);
});

/** A way to Postgres that can swallow everything on connections that stay open, and can end these and begin anew. */
async function startFreezablePostgres(databaseUrl: string) {
  const url = new URL(databaseUrl);
  const { hostname, port } = url;
  const sockets = new Set<Socket>();
  let isFrozen = false;
  const cutAll = () => {
    for (const socket of sockets) socket.destroy();
  };
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname);
    const ways = [
      [client, upstream],
      [upstream, client],
    ] as const;
    for (const [from, to] of ways) {
      sockets.add(from);
      from.on("data", (chunk) => isFrozen || to.write(chunk));
      from.on("error", () => undefined);
      from.on("close", () => {
        sockets.delete(from);
        to.destroy();
      });
    }
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(async () => {
    cutAll();
    server.close();
    await once(server, "close");
  });
  // A server that listens on TCP has an address with a port.
  url.host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url: url.href,
    freeze: () => void (isFrozen = true),
    restart() {
      isFrozen = false;
      cutAll();
    },
  };
}
