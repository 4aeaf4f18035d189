import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { connect, type Socket } from "node:net";
import { Hono } from "hono";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { startHttpServer, type HttpLimits, type HttpServer } from "./http-server.ts";
import { createLogger } from "./logger.ts";

const HOST = "127.0.0.1";
const logger = createLogger({ service: "test", level: "silent", format: "json" });
const GRACE_MS = 10_000;
const WAIT = { timeout: 10_000, interval: 5 };

/** The servers' ends of connections: they run in this process, and Node tells of each (node:diagnostics_channel). */
const accepted: Socket[] = [];
const onAccepted = (message: unknown): void => void accepted.push((message as { socket: Socket }).socket);
beforeAll(() => subscribe("net.server.socket", onAccepted));
afterAll(() => unsubscribe("net.server.socket", onAccepted));

const servers: HttpServer[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close(0)));
  accepted.splice(0);
});

async function aServer(app: Hono, limits: Partial<HttpLimits> = {}): Promise<HttpServer> {
  const server = await startHttpServer({ app, host: HOST, port: 0, limits, logger });
  servers.push(server);
  return server;
}

/** A raw connection: what it sends is up to the test. */
function aConnection({ port }: HttpServer) {
  const socket = connect(port, HOST);
  let received = "";
  const waiting = new Set<() => void>();
  socket.setEncoding("latin1").on("data", (chunk: string) => {
    received += chunk;
    for (const look of waiting) look();
  });
  // A reset is one of the ways in which the server hangs up.
  socket.on("error", () => {});
  const closed = new Promise<string>((resolve) => socket.once("close", () => resolve(received)));
  const receives = (text: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        if (received.includes(text)) resolve(received);
      };
      waiting.add(look);
      look();
      void closed.then(() => reject(new Error(`closed without ${text}: ${received}`)));
    });
  return { socket, closed, receives };
}

/** A handler that waits in the middle until the test lets it go on. */
function aGate() {
  let open = (): void => {};
  let arrive = (): void => {};
  const opened = new Promise<void>((resolve) => (open = resolve));
  const arrived = new Promise<void>((resolve) => (arrive = resolve));
  return { open: () => open(), opened, arrive: () => arrive(), arrived };
}

const echo = new Hono()
  .post("/", async (context) => context.text(await context.req.text()))
  // A body that was cut off cannot be read; there is nobody left who could be told.
  .onError((_, context) => context.text("cut off", 400));

describe("a request", () => {
  it("is answered at the URL that the server gives", async () => {
    const server = await aServer(echo);
    const response = await fetch(server.url, { method: "POST", body: "hello" });
    expect(await response.text()).toBe("hello");
    expect(server.url).toBe(`http://${HOST}:${server.port}`);
  });

  it("beyond the allowed connections is hung up on, until one of them is gone", async () => {
    const server = await aServer(echo, { maxConnections: 1 });
    const first = aConnection(server);
    first.socket.write("GET /none HTTP/1.1\r\nhost: x\r\n\r\n");
    await first.receives(" 404 ");
    expect(await aConnection(server).closed).toBe("");
    first.socket.end();
    await first.closed;
    const next = aConnection(server);
    next.socket.write("GET /none HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    expect(await next.closed).toMatch(/^HTTP\/1\.1 404 /);
  });

  it("whose headers come too slowly is cut off with 408", async () => {
    const connection = aConnection(await aServer(echo, { headersTimeoutMs: 100 }));
    connection.socket.write("POST / HTTP/1.1\r\nhost: x\r\n");
    expect(await connection.closed).toMatch(/^HTTP\/1\.1 408 /);
  });

  it("whose body comes too slowly is cut off with 408", async () => {
    const connection = aConnection(await aServer(echo, { requestTimeoutMs: 200, headersTimeoutMs: 100 }));
    connection.socket.write("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nabc");
    expect(await connection.closed).toMatch(/^HTTP\/1\.1 408 /);
  });

  it("whose chunks never end is cut off with 408", async () => {
    const connection = aConnection(await aServer(echo, { requestTimeoutMs: 200, headersTimeoutMs: 100 }));
    connection.socket.write("POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n");
    const drip = setInterval(() => connection.socket.write("1\r\na\r\n"), 20);
    expect(await connection.closed).toMatch(/^HTTP\/1\.1 408 /);
    clearInterval(drip);
  });

  it("with more than 16 KiB of headers is answered 431", async () => {
    const connection = aConnection(await aServer(echo));
    connection.socket.write(`GET / HTTP/1.1\r\nhost: x\r\nx-large: ${"a".repeat(16 * 1024)}\r\n\r\n`);
    expect(await connection.closed).toMatch(/^HTTP\/1\.1 431 /);
  });

  it("with just under 16 KiB of headers is answered", async () => {
    const connection = aConnection(await aServer(echo));
    connection.socket.write(`GET / HTTP/1.1\r\nhost: x\r\nx-large: ${"a".repeat(16_000)}\r\n\r\n`);
    expect(await connection.receives("\r\n\r\n")).toMatch(/^HTTP\/1\.1 404 /);
    connection.socket.destroy();
  });

  it("may follow another one on the same connection, as often as the sender likes", async () => {
    const connection = aConnection(
      await aServer(new Hono().get("/:n", (c) => c.text(`<${c.req.param("n")}>`))),
    );
    for (let n = 1; n <= 50; n += 1) {
      connection.socket.write(`GET /${n} HTTP/1.1\r\nhost: x\r\n\r\n`);
      expect(await connection.receives(`<${n}>`)).not.toMatch(/connection: close/i);
    }
    connection.socket.destroy();
  });

  it("leaves an idle connection that is closed after the keep-alive time", async () => {
    const connection = aConnection(await aServer(echo, { keepAliveTimeoutMs: 50 }));
    connection.socket.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
    expect(await connection.closed).toMatch(/^HTTP\/1\.1 404 /);
  });
});

describe("close", () => {
  it("lets a request in flight end, tells its sender that the connection ends, and takes no new ones", async () => {
    const gate = aGate();
    const app = new Hono().get("/", async (context) => {
      gate.arrive();
      await gate.opened;
      return context.text("finished");
    });
    const server = await aServer(app);
    const connection = aConnection(server);
    connection.socket.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
    await gate.arrived;
    const closed = server.close(GRACE_MS);
    await expect(fetch(server.url)).rejects.toThrow("fetch failed");
    gate.open();
    const answer = await connection.closed;
    expect(answer).toMatch(/^HTTP\/1\.1 200 /);
    expect(answer).toMatch(/connection: close/i);
    expect(answer).toMatch(/finished$/);
    await closed;
  });

  it("lets a request whose body is still on its way end", async () => {
    const gate = aGate();
    const app = new Hono().post("/", async (context) => {
      gate.arrive();
      return context.text(await context.req.text());
    });
    const server = await aServer(app);
    const connection = aConnection(server);
    connection.socket.write("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nabcde");
    await gate.arrived;
    const closed = server.close(GRACE_MS);
    connection.socket.write("fghij");
    expect(await connection.closed).toMatch(/abcdefghij$/);
    await closed;
  });

  it("lets a request whose headers have begun end", async () => {
    const server = await aServer(echo);
    const connection = aConnection(server);
    connection.socket.write("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\nok");
    await connection.receives("ok");
    connection.socket.write("POST / HTTP/1.1\r\nho");
    await untilRead(connection.socket);
    const closed = server.close(GRACE_MS);
    connection.socket.write("st: x\r\ncontent-length: 6\r\n\r\nsecond");
    expect(await connection.closed).toMatch(/second$/);
    await closed;
  });

  it("sends an answer to the end that a slow reader has not fetched yet", async () => {
    const size = 20_000_000;
    const written = aGate();
    const app = new Hono().get("/", (context) => {
      written.arrive();
      return context.body("a".repeat(size));
    });
    const server = await aServer(app);
    const socket = connect(server.port, HOST).pause();
    socket.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
    await written.arrived;
    await vi.waitFor(() => expect(serverEndOf(socket)?.bytesWritten).toBeGreaterThan(size), WAIT);
    const closed = server.close(GRACE_MS);
    let bytes = 0;
    socket.on("data", (chunk: Buffer) => (bytes += chunk.length)).resume();
    await closed;
    await new Promise((resolve) => (socket.readableEnded ? resolve(null) : socket.once("end", resolve)));
    expect(bytes).toBeGreaterThan(size);
  });

  it("hangs up at once on a connection between two requests and on one that never sent any", async () => {
    const server = await aServer(echo);
    const [idle, unused] = [aConnection(server), aConnection(server)];
    idle.socket.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
    await idle.receives("HTTP/1.1 404 ");
    await untilRead(idle.socket);
    await untilRead(unused.socket);
    await server.close(GRACE_MS * 10);
    await idle.closed;
    expect(await unused.closed).toBe("");
  });

  it("cuts off what has not ended after the grace time", async () => {
    const gate = aGate();
    const app = new Hono().get("/", async (context) => {
      gate.arrive();
      await gate.opened;
      return context.text("too late");
    });
    const server = await aServer(app);
    const connection = aConnection(server);
    connection.socket.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
    await gate.arrived;
    await server.close(50);
    expect(await connection.closed).toBe("");
    gate.open();
  });

  it("still cuts off slow senders while it waits", async () => {
    const server = await aServer(echo, { headersTimeoutMs: 200 });
    const connection = aConnection(server);
    connection.socket.write("POST / HTTP/1.1\r\nho");
    await untilRead(connection.socket);
    await server.close(GRACE_MS * 10);
    expect(await connection.closed).toMatch(/^HTTP\/1\.1 408 /);
  });

  it("may be called again and ends once", async () => {
    const server = await aServer(echo);
    const first = server.close(GRACE_MS);
    expect(server.close(GRACE_MS)).toBe(first);
    await first;
    expect(server.close(GRACE_MS)).toBe(first);
  });
});

describe("a port that cannot be had", () => {
  it("is told with what to do when somebody has it", async () => {
    const { port } = await aServer(echo);
    await expect(startHttpServer({ app: echo, host: HOST, port, logger })).rejects.toMatchObject({
      code: "port_in_use",
      retry: "never",
      message: `port ${port} is already in use on ${HOST}: stop what listens there or set another port`,
    });
  });

  it("is told with what to do when this machine has no such address", async () => {
    // 192.0.2.0/24 is for documentation (RFC 5737): no machine has it.
    await expect(startHttpServer({ app: echo, host: "192.0.2.1", port: 0, logger })).rejects.toMatchObject({
      code: "host_unavailable",
    });
  });
});

/** Until the server has the connection, and has read all that was written to it. */
async function untilRead(client: Socket): Promise<void> {
  await vi.waitFor(() => {
    expect(client.connecting).toBe(false);
    expect(serverEndOf(client)?.bytesRead).toBe(client.bytesWritten);
  }, WAIT);
}

function serverEndOf({ localPort }: Socket): Socket | undefined {
  return accepted.find(({ remotePort }) => remotePort === localPort);
}
