import { createHmac } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createBitbucket, type Bitbucket, type BitbucketOptions } from "./bitbucket.ts";
import type { Hook } from "./hook.ts";
import type { Repository } from "./repository.ts";

interface Received {
  readonly headers: IncomingHttpHeaders;
  readonly bytes: Buffer;
}

const SECRET = "ein Geheimnis, größer als ASCII";

let server: Server;
let received: Received[];
/** Statuses to answer, one after the other; 202 when it is empty. `null` = never answer. */
let answers: (number | null)[];

beforeEach(async () => {
  received = [];
  answers = [];
  server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      received.push({ headers: request.headers, bytes: Buffer.concat(chunks) });
      const status = answers.length === 0 ? 202 : answers.shift();
      if (status !== null && status !== undefined)
        response.writeHead(status, { location: "/elsewhere" }).end("{}");
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
});

afterEach(async () => {
  server.closeAllConnections();
  server.close();
  await once(server, "close");
});

function endpoint(): string {
  // A TCP server that listens has an AddressInfo.
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`;
}

function aHookedRepository(options: BitbucketOptions = {}): {
  bitbucket: Bitbucket;
  repository: Repository;
  hook: Hook;
} {
  const bitbucket = createBitbucket({ seed: "sender", ...options });
  const repository = bitbucket.createRepository({ workspace: "acme", slug: "infra" });
  const hook = repository.createHook({ url: endpoint(), events: ["repo:push"], secret: SECRET });
  return { bitbucket, repository, hook };
}

/** The branches of received pushes, in the order of arrival. */
function branchesReceived(): string[] {
  return received.map(({ bytes }) => /"name":"(step-\d+)"/.exec(bytes.toString())?.[1] ?? "?");
}

function pushSteps(repository: Repository, count: number): void {
  repository.push({ files: { "main.tf": "x" } });
  for (let step = 1; step <= count; step += 1) repository.push({ branch: `step-${step}` });
}

describe("a delivery", () => {
  it("carries Bitbucket's headers, with bare uuids, and the body that the push returned", async () => {
    const { bitbucket, repository, hook } = aHookedRepository();
    const { webhooks } = repository.push({ files: { "main.tf": "x" } });
    await bitbucket.settled();
    expect(received).toHaveLength(1);
    expect(received[0]?.headers).toMatchObject({
      "user-agent": "Bitbucket-Webhooks/2.0",
      "content-type": "application/json",
      "x-event-key": "repo:push",
      "x-hook-uuid": hook.uuid.slice(1, -1),
      "x-attempt-number": "1",
    });
    expect(received[0]?.headers["x-request-uuid"]).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    expect(JSON.parse(received[0]!.bytes.toString())).toEqual(webhooks[0]?.body);
  });

  it("is signed over its raw bytes", async () => {
    const { bitbucket, repository } = aHookedRepository();
    repository.push({ files: { "main.tf": "x" }, message: "Grüße an alle" });
    await bitbucket.settled();
    const expected = createHmac("sha256", SECRET).update(received[0]!.bytes).digest("hex");
    expect(received[0]?.headers["x-hub-signature"]).toBe(`sha256=${expected}`);
  });

  it("has no signature header without a secret", async () => {
    const { bitbucket, repository, hook } = aHookedRepository();
    hook.secret = null;
    repository.push({ files: { "main.tf": "x" } });
    await bitbucket.settled();
    expect(received[0]?.headers).not.toHaveProperty("x-hub-signature");
  });

  it("goes to active hooks that subscribe to its event, and to those of the workspace", async () => {
    const { bitbucket, repository, hook } = aHookedRepository();
    repository.createHook({ url: endpoint(), events: ["pullrequest:created"] });
    repository.createHook({ url: endpoint(), events: ["repo:push"], active: false });
    const wide = bitbucket.createWorkspaceHook("acme", { url: endpoint(), events: ["repo:push"] });
    repository.push({ files: { "main.tf": "x" } });
    await bitbucket.settled();
    const header = (name: string): unknown[] => received.map(({ headers }) => headers[name]);
    expect(new Set(header("x-hook-uuid"))).toEqual(new Set([hook.uuid.slice(1, -1), wide.uuid.slice(1, -1)]));
    expect(new Set(header("x-request-uuid")).size).toBe(2);
  });
});

describe("an answer", () => {
  it("of 5xx is retried twice at once, under the same request uuid", async () => {
    const { bitbucket, repository, hook } = aHookedRepository();
    answers = [500, 503, 502];
    repository.push({ files: { "main.tf": "x" } });
    await bitbucket.settled();
    expect(received.map(({ headers }) => headers["x-attempt-number"])).toEqual(["1", "2", "3"]);
    expect(new Set(received.map(({ headers }) => headers["x-request-uuid"])).size).toBe(1);
    expect(bitbucket.webhooks.history(hook.uuid)).toMatchObject([
      { attempt: 1, status: 500, outcome: "answered" },
      { attempt: 2, status: 503, outcome: "answered" },
      { attempt: 3, status: 502, outcome: "answered" },
    ]);
  });

  it("of 2xx ends the retries", async () => {
    const { bitbucket, repository } = aHookedRepository();
    answers = [503, 202];
    repository.push({ files: { "main.tf": "x" } });
    await bitbucket.settled();
    expect(bitbucket.webhooks.history().map((attempt) => attempt.status)).toEqual([503, 202]);
  });

  it.each([301, 400, 401, 404, 429])("of %i is final", async (status) => {
    const { bitbucket, repository } = aHookedRepository();
    answers = [status];
    repository.push({ files: { "main.tf": "x" } });
    await bitbucket.settled();
    expect(bitbucket.webhooks.history().map((attempt) => attempt.status)).toEqual([status]);
    expect(received).toHaveLength(1);
  });

  it("that does not come in time, or cannot come, is not retried", async () => {
    const { bitbucket, repository, hook } = aHookedRepository({ webhooks: { timeoutMs: 50 } });
    answers = [null];
    repository.push({ files: { "main.tf": "x" } });
    await bitbucket.settled();
    hook.url = "http://127.0.0.1:9/nobody";
    repository.push({ files: { "main.tf": "y" } });
    await bitbucket.settled();
    expect(bitbucket.webhooks.history()).toMatchObject([
      { outcome: "timeout", status: null, attempt: 1 },
      { outcome: "unreachable", status: null, attempt: 1 },
    ]);
  });
});

describe("the way", () => {
  it("keeps the order of the actions when nothing goes wrong, also while one is retried", async () => {
    const { bitbucket, repository } = aHookedRepository();
    answers = [202, 500, 202];
    pushSteps(repository, 3);
    await bitbucket.settled();
    expect(branchesReceived()).toEqual(["?", "step-1", "step-1", "step-2", "step-3"]);
  });

  it("delivers everything, too, when deliveries overtake each other", async () => {
    const { bitbucket, repository } = aHookedRepository({ webhooks: { order: "concurrent" } });
    pushSteps(repository, 3);
    await bitbucket.settled();
    expect(branchesReceived().toSorted()).toEqual(["?", "step-1", "step-2", "step-3"]);
  });

  it("sends nothing over 256 KB, and no attempt is on record", async () => {
    const { bitbucket, repository } = aHookedRepository();
    const { webhooks } = repository.push({ files: { "main.tf": "x" }, message: "x".repeat(50_000) });
    await bitbucket.settled();
    expect(JSON.stringify(webhooks[0]?.body).length).toBeGreaterThan(256 * 1024);
    expect(received).toEqual([]);
    expect(bitbucket.webhooks.history()).toEqual([]);
    expect(bitbucket.webhooks.unsent).toMatchObject([{ reason: "too_large" }]);
  });

  it("sends what is large and below 256 KB", async () => {
    const { bitbucket, repository } = aHookedRepository();
    repository.push({ files: { "main.tf": "x" }, message: "x".repeat(30_000) });
    await bitbucket.settled();
    expect(received[0]?.bytes.byteLength).toBeGreaterThan(128 * 1024);
  });

  it("can duplicate: the same bytes and the same request uuid twice", async () => {
    const { bitbucket, repository } = aHookedRepository();
    bitbucket.webhooks.injectFault({ kind: "duplicate" }, { times: 1 });
    pushSteps(repository, 1);
    await bitbucket.settled();
    expect(received).toHaveLength(3);
    expect(received[1]?.bytes.equals(received[0]!.bytes)).toBe(true);
    expect(received[1]?.headers).toEqual(received[0]?.headers);
    expect(received[2]?.headers["x-request-uuid"]).not.toBe(received[0]?.headers["x-request-uuid"]);
  });

  it("can lose", async () => {
    const { bitbucket, repository } = aHookedRepository();
    const stop = bitbucket.webhooks.injectFault({ kind: "lose" });
    pushSteps(repository, 1);
    stop();
    repository.push({ branch: "step-2" });
    await bitbucket.settled();
    expect(branchesReceived()).toEqual(["step-2"]);
    expect(bitbucket.webhooks.unsent).toHaveLength(2);
  });

  it("can hold and release in another order, and leave some behind", async () => {
    const { bitbucket, repository } = aHookedRepository();
    bitbucket.webhooks.injectFault({ kind: "hold" }, { times: 4 });
    pushSteps(repository, 4);
    await bitbucket.settled();
    expect(branchesReceived()).toEqual(["step-4"]);
    bitbucket.webhooks.release((held) => held.slice(1).toReversed());
    await bitbucket.settled();
    expect(branchesReceived()).toEqual(["step-4", "step-3", "step-2", "step-1"]);
    expect(bitbucket.webhooks.held).toHaveLength(1);
  });

  it("can delay one, which the next then overtakes", async () => {
    let wakeUp = (): void => undefined;
    const sleep = (): Promise<void> =>
      new Promise((resolve) => {
        wakeUp = resolve;
      });
    const { bitbucket, repository } = aHookedRepository({ webhooks: { sleep } });
    bitbucket.webhooks.injectFault(
      { kind: "delay", delayMs: 60_000 },
      { match: ({ event }) => JSON.stringify(event.body).includes('"step-1"') },
    );
    pushSteps(repository, 2);
    await bitbucket.webhooks.settled({ exceptDelayed: true });
    expect(branchesReceived()).toEqual(["?", "step-2"]);
    expect(bitbucket.webhooks.delayed).toHaveLength(1);
    wakeUp();
    await bitbucket.settled();
    expect(bitbucket.webhooks.delayed).toEqual([]);
    expect(branchesReceived()).toEqual(["?", "step-2", "step-1"]);
  });

  it("can repeat an old delivery", async () => {
    const { bitbucket, repository } = aHookedRepository();
    bitbucket.webhooks.injectFault({ kind: "hold" }, { times: 1 });
    pushSteps(repository, 0);
    const [delivery] = bitbucket.webhooks.held;
    bitbucket.webhooks.release();
    await bitbucket.settled();
    bitbucket.webhooks.repeat(delivery!);
    await bitbucket.settled();
    expect(received.map(({ headers }) => headers["x-request-uuid"])).toEqual([
      delivery?.requestUuid,
      delivery?.requestUuid,
    ]);
  });
});
