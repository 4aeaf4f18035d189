import { createHash, randomUUID } from "node:crypto";
import { request } from "node:http";
import { connect } from "node:net";

import { signBody } from "@sluice/bitbucket/signature";
import { previousSecretContext, webhookSecretContext } from "@sluice/domain/secret-context";
import { createTestDatabase, type TestDatabase } from "@sluice/embedded/test-database";
import { migrateQueueBackend, openQueueBackend, type QueueBackend } from "@sluice/queue/backend";
import { decodeDeliveries, deliveriesPayload, type RawDelivery } from "@sluice/queue/delivery-codec";
import { parseQueueUrl } from "@sluice/queue/queue-url";
import { deliveriesQueue } from "@sluice/queue/queues";
import { createLogger } from "@sluice/runtime/logger";
import { generateKey, parseKeyring } from "@sluice/runtime/keyring";
import { openStore, type Store } from "@sluice/store/client";
import { migrateStore } from "@sluice/store/migrate";
import { insertIntegration } from "@sluice/store/test-fixtures";
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from "vitest";

import { loadConfiguration } from "@sluice/runtime/configuration";
import { ingressVariables } from "./config.ts";
import { startIngress, type RunningIngress } from "./start-ingress.ts";

const SECRET = "a-webhook-secret-of-the-tests";
const PREVIOUS_SECRET = "the-secret-before-the-rotation";
const BODY = Buffer.from(`{"repository":{"full_name":"acme/infra"},"push":{"changes":[]}}`);
const SLUG = "acme";
const MAX_BUFFERED_BYTES = 100_000;
/** For polling, on a machine that has other things to do as well. */
const WAIT = { timeout: 10_000, interval: 50 };

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

const backends = [
  { name: "Redis", url: inject("redisUrl") },
  { name: "Postgres", url: "the test's own database" },
].filter(({ url }) => url !== null);

describe.each(backends)("ingress on $name", ({ name, url }) => {
  const keyring = parseKeyring(generateKey());
  const integrationId = randomUUID();
  const logLines: string[] = [];
  let database: TestDatabase;
  let store: Store;
  let backend: QueueBackend;
  let ingress: RunningIngress;

  beforeAll(async () => {
    database = await createTestDatabase({
      serverUrl: inject("postgresUrl"),
      migrate: migrateStore,
      key: "store",
    });
    store = openStore({ url: database.url, maxConnections: 2, applicationName: "test" });
    await insertIntegration(store, {
      id: integrationId,
      slug: SLUG,
      webhookSecretCiphertext: keyring.encrypt(SECRET, webhookSecretContext(integrationId)),
    });
    await store.sql`
      UPDATE sluice.integrations
      SET previous_secret_ciphertext = ${keyring.encrypt(PREVIOUS_SECRET, previousSecretContext(integrationId))},
          previous_secret_expires_at = now() + interval '1 hour'`;
    const queueUrl = name === "Postgres" ? database.url : (url ?? "");
    const namespace = `test_${randomUUID().slice(0, 8)}`;
    await migrateQueueBackend(parseQueueUrl(queueUrl), { namespace });
    backend = openQueueBackend(parseQueueUrl(queueUrl), { namespace });
    ingress = await startIngress({
      configuration: {
        ...loadConfiguration(ingressVariables, {
          DATABASE_URL: database.url,
          SLUICE_QUEUE_URL: queueUrl,
          SLUICE_QUEUE_NAMESPACE: namespace,
          SLUICE_ENCRYPTION_KEYS: generateKey(),
          INGRESS_HOST: "127.0.0.1",
          INGRESS_PORT: "0",
          INGRESS_OPERATIONS_PORT: "0",
          INGRESS_MAX_BODY_BYTES: "65536",
          INGRESS_REQUEST_TIMEOUT_MS: "1000",
          INGRESS_MAX_CONNECTIONS: "40",
        }),
        keyring,
        // Below what an operator may set: two bodies of the largest size do not fit.
        maxBufferedBytes: MAX_BUFFERED_BYTES,
      },
      logger: createLogger({
        service: "ingress",
        level: "info",
        format: "json",
        destination: { write: (line) => void logLines.push(line) },
      }),
    });
  });

  afterAll(async () => {
    await ingress.close(1_000);
    await backend.close();
    await store.close();
    await database.drop();
  });

  beforeEach(() => {
    logLines.length = 0;
  });

  async function queued(requestId: string): Promise<RawDelivery[]> {
    const { queue, close } = await backend.openQueue(deliveriesQueue.name);
    try {
      const jobs = await queue.getWaiting(0, -1);
      const deliveries = await Promise.all(
        jobs.map((job) => decodeDeliveries(deliveriesPayload.parse(job.data))),
      );
      return deliveries.flat().filter((delivery) => delivery.requestId === requestId);
    } finally {
      await close();
    }
  }

  function post(
    options: {
      readonly slug?: string;
      readonly body?: Buffer;
      readonly headers?: Record<string, string | undefined>;
    } = {},
  ): Promise<Answer> {
    const body = options.body ?? BODY;
    const headers = {
      "content-type": "application/json",
      "x-event-key": "repo:push",
      "x-request-uuid": randomUUID(),
      "x-hub-signature": signBody(body, SECRET),
      ...options.headers,
    };
    return send(`${ingress.url}/webhooks/bitbucket-cloud/${options.slug ?? SLUG}`, headers, body);
  }

  test("a signed delivery is answered 202 with its id once it is in the queue, byte for byte (rules 7, 8)", async () => {
    const requestId = randomUUID();
    const answer = await post({
      headers: { "x-request-uuid": requestId, "x-hook-uuid": "{h}", "x-attempt-number": "2" },
    });
    expect(answer.status).toBe(202);
    const [delivery] = await queued(requestId);
    expect(delivery).toMatchObject({
      id: (JSON.parse(answer.body) as { id: string }).id,
      integrationId,
      eventKey: "repo:push",
      hookId: "h",
      attempt: 2,
      secretVersion: "current",
    });
    expect(Buffer.from(delivery!.body)).toEqual(BODY);
  });

  test("the same request twenty times at once is accepted each time, with one id (rule 9)", async () => {
    const requestId = randomUUID();
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => post({ headers: { "x-request-uuid": requestId } })),
    );
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([202]));
    expect(new Set(answers.map(({ body }) => body)).size).toBe(1);
    expect(await queued(requestId)).toHaveLength(20);
  });

  test("the secret before the last rotation still verifies, and it is known that it did (rule 4)", async () => {
    const requestId = randomUUID();
    const answer = await post({
      headers: { "x-request-uuid": requestId, "x-hub-signature": signBody(BODY, PREVIOUS_SECRET) },
    });
    expect(answer.status).toBe(202);
    expect(await queued(requestId)).toMatchObject([{ secretVersion: "previous" }]);
  });

  const hex = signBody(BODY, SECRET).slice("sha256=".length);
  test.each([
    ["no signature", { "x-hub-signature": undefined }],
    ["a wrong signature", { "x-hub-signature": signBody(BODY, "another secret") }],
    ["a truncated signature", { "x-hub-signature": `sha256=${hex.slice(0, -1)}` }],
    ["an upper-case signature", { "x-hub-signature": `sha256=${hex.toUpperCase()}` }],
    ["a sha1 signature", { "x-hub-signature": `sha1=${createHash("sha1").update(BODY).digest("hex")}` }],
    ["a bare digest", { "x-hub-signature": hex }],
    ["an empty signature", { "x-hub-signature": "" }],
  ])("%s is answered 401 and nothing is queued (rules 7, 8)", async (_, headers) => {
    const requestId = randomUUID();
    const answer = await post({ headers: { ...headers, "x-request-uuid": requestId } });
    expect(answer).toMatchObject({ status: 401, body: '{"error":"invalid_signature"}' });
    expect(await queued(requestId)).toEqual([]);
    expect(logLines.join("")).toContain('"status":401');
  });

  test("a body of one changed byte is answered 401 (rule 7)", async () => {
    const changed = Buffer.from(BODY);
    changed[10] = (changed[10] ?? 0) ^ 1;
    const answer = await post({ body: changed, headers: { "x-hub-signature": signBody(BODY, SECRET) } });
    expect(answer.status).toBe(401);
  });

  test("an unknown slug is answered as a wrong signature is, to the letter (rule 8)", async () => {
    const unknown = await post({ slug: "nobody" });
    const wrong = await post({ headers: { "x-hub-signature": signBody(BODY, "wrong") } });
    const { date: dateOfUnknown, ...unknownHeaders } = unknown.headers;
    const { date: dateOfWrong, ...wrongHeaders } = wrong.headers;
    expect(dateOfUnknown).toBeDefined();
    expect(dateOfWrong).toBeDefined();
    expect({ ...unknown, headers: unknownHeaders }).toEqual({ ...wrong, headers: wrongHeaders });
  });

  test.each([
    ["no event key", { "x-event-key": undefined }, 400, "x-event-key"],
    ["no request uuid", { "x-request-uuid": undefined }, 400, "x-request-uuid"],
    [
      "another content type",
      { "content-type": "application/x-www-form-urlencoded" },
      415,
      "application/json",
    ],
    ["no content type", { "content-type": undefined }, 415, "application/json"],
  ])(
    "%s is answered with what is wrong, after the signature was checked",
    async (_, headers, status, named) => {
      const answer = await post({ headers });
      expect(answer.status).toBe(status);
      expect(answer.body.toLowerCase()).toContain(named);
      const unsigned = await post({ headers: { ...headers, "x-hub-signature": undefined } });
      expect(unsigned.status).toBe(401);
    },
  );

  test("a body above the limit is answered 413, also when its length is not declared, and before its signature is looked at (rules 7, 8)", async () => {
    const large = Buffer.alloc(65_537, "x");
    expect((await post({ body: large, headers: { "x-hub-signature": undefined } })).status).toBe(413);
    const chunked = await post({ body: large, headers: { "transfer-encoding": "chunked" } });
    expect(chunked.status).toBe(413);
    expect(chunked.headers["connection"]).toBe("close");
  });

  test("a body exactly at the limit is accepted", async () => {
    const body = Buffer.alloc(65_536, "x");
    expect((await post({ body, headers: { "x-hub-signature": signBody(body, SECRET) } })).status).toBe(202);
  });

  test("a chunked body without an end is cut off, and the ingress goes on", async () => {
    const { hostname, port } = new URL(ingress.url);
    const socket = connect(Number(port), hostname);
    socket.write(
      `POST /webhooks/bitbucket-cloud/${SLUG} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n`,
    );
    const received = await new Promise<string>((resolve, reject) => {
      let text = "";
      socket.on("data", (chunk) => (text += chunk.toString()));
      socket.on("close", () => resolve(text));
      socket.on("error", reject);
    });
    expect(received).toMatch(/^HTTP\/1.1 408 /);
    expect((await post()).status).toBe(202);
  });

  test.each([
    ["not JSON", Buffer.from("hello")],
    ["JSON of 10,000 levels", Buffer.from("[".repeat(10_000) + "]".repeat(10_000))],
    ["invalid UTF-8", Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d])],
    ["empty", Buffer.alloc(0)],
  ])("a signed body that is %s is accepted as it is: nothing is parsed here (rule 7)", async (_, body) => {
    const requestId = randomUUID();
    const answer = await post({
      body,
      headers: { "x-request-uuid": requestId, "x-hub-signature": signBody(body, SECRET) },
    });
    expect(answer.status).toBe(202);
    const [delivery] = await queued(requestId);
    expect(Buffer.from(delivery!.body)).toEqual(body);
  });

  test("an integration made while it runs is known at once, and a deleted one is forgotten", async () => {
    const id = randomUUID();
    await insertIntegration(store, {
      id,
      slug: "newcomer",
      webhookSecretCiphertext: keyring.encrypt(SECRET, webhookSecretContext(id)),
    });
    await expect.poll(async () => (await post({ slug: "newcomer" })).status, WAIT).toBe(202);
    await store.sql`UPDATE sluice.integrations SET deleted_at = now() WHERE id = ${id}`;
    await expect.poll(async () => (await post({ slug: "newcomer" })).status, WAIT).toBe(401);
  });

  test("another method is 405, another path 404", async () => {
    expect((await fetch(`${ingress.url}/webhooks/bitbucket-cloud/${SLUG}`)).status).toBe(405);
    expect((await fetch(`${ingress.url}/webhooks/github/${SLUG}`, { method: "POST" })).status).toBe(404);
  });

  test("no line of the log holds a secret, a signature or a body", async () => {
    await post();
    await post({ headers: { "x-hub-signature": signBody(BODY, "wrong") } });
    const log = logLines.join("");
    expect(log).toContain("webhook.answered");
    for (const secret of [SECRET, PREVIOUS_SECRET, hex, "full_name"]) expect(log).not.toContain(secret);
  });

  test("health, readiness and metrics are told", async () => {
    await post();
    expect((await fetch(`${ingress.operationsUrl}/healthz`)).status).toBe(200);
    expect((await fetch(`${ingress.operationsUrl}/readyz`)).status).toBe(200);
    const metrics = await (await fetch(`${ingress.operationsUrl}/metrics`)).text();
    expect(metrics).toMatch(/sluice_deliveries_total\{[^}]*answer="202"[^}]*\} [1-9]/);
    expect(metrics).toMatch(/sluice_queue_depth\{queue="deliveries",state="waiting"[^}]*\} [1-9]/);
    expect(metrics).toMatch(/oldest_job_age_seconds\{queue="deliveries".*\} \d.*\n.*queue="events".*\} 0$/m);
  });

  test("the public side tells that it is alive, and nothing else that operators ask, by whatever path", async () => {
    const ask = (path: string) =>
      talk(ingress.url, `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
    expect(await ask("/healthz")).toMatch(/^HTTP\/1\.1 200 /);
    for (const path of ["/readyz", "/metrics", "/webhooks/../metrics", "/webhooks/%2e%2e/readyz"]) {
      expect([path, await ask(path)]).toEqual([path, expect.stringMatching(/^HTTP\/1\.1 404 /)]);
    }
  });

  test("what senders of signatures hold in memory is bounded: above it 503 before it is read, and then 202 again", async () => {
    const head = (bytes: number) =>
      `POST /webhooks/bitbucket-cloud/${SLUG} HTTP/1.1\r\nHost: x\r\nX-Hub-Signature: sha256=${hex}\r\nContent-Length: ${bytes}\r\n\r\n`;
    const sending = openSocket(ingress.url);
    sending.socket.write(head(60_000) + "x".repeat(59_999));
    const large = Buffer.alloc(60_000, "x");
    const answerToLarge = () =>
      post({ body: large, headers: { "x-hub-signature": signBody(large, SECRET) } });
    await expect.poll(async () => (await answerToLarge()).status, WAIT).toBe(503);
    const refused = await answerToLarge();
    expect(refused).toMatchObject({ status: 503, body: '{"error":"overloaded"}' });
    expect(refused.headers).toMatchObject({ "retry-after": "5", connection: "close" });
    const announced = await talk(ingress.url, head(60_000));
    expect(announced).toMatch(/^HTTP\/1\.1 503 /);
    expect((await post()).status).toBe(202);

    sending.socket.write("x");
    await expect.poll(() => sending.received(), WAIT).toMatch(/^HTTP\/1\.1 401 /);
    sending.socket.destroy();
    expect((await answerToLarge()).status).toBe(202);
  });

  test("of a body that grows beyond the room there is, nothing is kept", async () => {
    const sending = openSocket(ingress.url);
    const head = `POST /webhooks/bitbucket-cloud/${SLUG} HTTP/1.1\r\nHost: x\r\nX-Hub-Signature: sha256=${hex}\r\n`;
    sending.socket.write(`${head}Content-Length: 60001\r\n\r\n${"x".repeat(60_000)}`);
    const chunk = `fde8\r\n${"x".repeat(65_000)}\r\n`;
    await expect
      .poll(() => talk(ingress.url, `${head}Transfer-Encoding: chunked\r\n\r\n${chunk}`), WAIT)
      .toMatch(/^HTTP\/1\.1 503 /);
    sending.socket.destroy();
    const body = Buffer.alloc(65_000, "x");
    const headers = { "x-hub-signature": signBody(body, SECRET) };
    await expect.poll(async () => (await post({ body, headers })).status, WAIT).toBe(202);
  });

  test("bodies without a signature take no room from the others", async () => {
    const senders = Array.from({ length: 10 }, () => openSocket(ingress.url));
    for (const { socket } of senders) {
      socket.write(
        `POST /webhooks/bitbucket-cloud/${SLUG} HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n${"x".repeat(59_999)}`,
      );
    }
    const large = Buffer.alloc(60_000, "x");
    expect(
      (await post({ body: large, headers: { "x-hub-signature": signBody(large, SECRET) } })).status,
    ).toBe(202);
    for (const { socket } of senders) socket.write("x");
    for (const { socket, received } of senders) {
      await expect.poll(received, WAIT).toMatch(/^HTTP\/1\.1 401 [\s\S]*\{"error":"invalid_signature"\}$/);
      socket.destroy();
    }
  });

  test("senders beyond the allowed connections are hung up on, and operators are answered all the same", async () => {
    const senders = Array.from({ length: 40 }, () => openSocket(ingress.url));
    await Promise.all(senders.map(({ connected }) => connected));
    const ask = () => talk(ingress.url, "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    expect(await ask()).toBe("");
    expect((await fetch(`${ingress.operationsUrl}/readyz`)).status).toBe(200);
    for (const { socket } of senders) socket.destroy();
    await expect.poll(ask, WAIT).toMatch(/^HTTP\/1\.1 200 /);
    expect(logLines.join("")).toContain("http.too_many_connections");
  });

  test("the log of a 401 tells which secret, and a slug only in part when it is long", async () => {
    await post({ slug: "s".repeat(5_000) });
    await post();
    const lines = logLines.map((line) => JSON.parse(line) as Record<string, unknown>);
    const answers = lines.filter(({ msg }) => msg === "webhook.answered");
    expect(answers).toMatchObject([
      { status: 401, slug: "s".repeat(64) },
      { status: 202, secretVersion: "current" },
    ]);
  });
});

/** A raw connection: what it sends, and when, is up to the test. */
function openSocket(url: string) {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  let text = "";
  socket.on("data", (chunk) => (text += chunk.toString()));
  // A reset is one of the ways in which the server hangs up.
  socket.on("error", () => undefined);
  const connected = new Promise<void>((resolve) => socket.once("connect", resolve));
  const closed = new Promise<string>((resolve) => socket.once("close", () => resolve(text)));
  return { socket, connected, closed, received: () => text };
}

/** Sends a text; resolves with all that came back when the server hangs up. */
function talk(url: string, text: string): Promise<string> {
  const { socket, closed } = openSocket(url);
  socket.write(text);
  return closed;
}

function send(url: string, headers: Record<string, string | undefined>, body: Buffer): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const defined = Object.entries(headers).filter(([, value]) => value !== undefined);
    const outgoing = request(
      url,
      { method: "POST", headers: Object.fromEntries(defined), agent: false },
      (incoming) => {
        const chunks: Buffer[] = [];
        incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
        incoming.on("end", () => {
          resolve({
            status: incoming.statusCode ?? 0,
            headers: incoming.headers,
            body: Buffer.concat(chunks).toString(),
          });
        });
      },
    );
    // The server may answer and hang up before it was sent everything.
    outgoing.on("error", (error) => {
      if (!outgoing.writableEnded) reject(error);
    });
    outgoing.end(body);
  });
}
