/** The HTTP server of a process: bounded in what a sender may do, and closed without losing a request. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { Server as NetServer, type Socket } from "node:net";
import { getRequestListener } from "@hono/node-server";
import { AppError } from "@sluice/domain/app-error";
import type { Logger } from "./logger.ts";

/** What one sender may take. Zero never means "no limit". */
export interface HttpLimits {
  /** Request line and headers together; above it the answer is 431. */
  readonly maxHeaderBytes: number;
  /** From the first byte (or the connection) to the last header; then 408. */
  readonly headersTimeoutMs: number;
  /** From the first byte to the last one of the body; then 408. */
  readonly requestTimeoutMs: number;
  /** How long a connection may wait for its next request. */
  readonly keepAliveTimeoutMs: number;
  /** Connections at once; one more is hung up on before a byte of it is read. */
  readonly maxConnections: number;
}

/** Limits for machines that send webhooks and API calls. */
const DEFAULT_HTTP_LIMITS: HttpLimits = {
  maxHeaderBytes: 16 * 1024,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  // Above the 60 s of common load balancers: the side that sends must be the one that hangs up, or it sends into a
  // connection that is being closed.
  keepAliveTimeoutMs: 65_000,
  maxConnections: 10_000,
};

/** Whoever is hung up on by the thousand shall not fill the log too. */
const DROP_LOG_INTERVAL_MS = 10_000;

/** How late a limit may act: Node looks at all connections once in this time. */
const CHECK_INTERVAL_MS = 1_000;

/** What a server needs. */
export interface HttpServerOptions {
  /** A Hono app, or anything with its `fetch`. */
  readonly app: { readonly fetch: Parameters<typeof getRequestListener>[0] };
  /** Address to listen on; `0.0.0.0` or `::` is all of them. */
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  readonly limits?: Partial<HttpLimits>;
  /** What it is for, where a process has more than one: on its log lines. */
  readonly purpose?: string;
  readonly logger: Logger;
}

/** A listening server. */
export interface HttpServer {
  readonly port: number;
  /** Where this machine reaches it, without a slash at the end. */
  readonly url: string;
  /**
   * Takes no new connections, lets requests in flight end, hangs up on all others, and after `graceMs` on everyone.
   * Resolves when all connections are gone. A second call waits for the first.
   */
  close(graceMs: number): Promise<void>;
}

/**
 * Listens, then resolves.
 * @throws AppError `port_in_use`, `port_forbidden`, `host_unavailable` or `listen_failed`, each with what to do.
 */
export async function startHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const { host, purpose } = options;
  const logger = purpose === undefined ? options.logger : options.logger.child({ purpose });
  const limits = { ...DEFAULT_HTTP_LIMITS, ...options.limits };
  const server = createServer(nodeOptions(limits));
  server.maxConnections = limits.maxConnections;
  const connections = trackConnections(server);
  server.on("request", toListener(options.app));
  const port = await listen(server, host, options.port);
  const url = `http://${reachableHost(host)}:${port}`;
  server.on("error", (err) => logger.error({ err, url }, "http.server_failed"));
  server.on(
    "drop",
    onceIn(DROP_LOG_INTERVAL_MS, () => logDrop(logger, url, limits.maxConnections)),
  );
  logger.info({ url }, "http.listening");

  let closing: Promise<void> | null = null;
  return {
    port,
    url,
    close: (graceMs) => (closing ??= closeServer({ server, connections, graceMs, logger, url })),
  };
}

function logDrop(logger: Logger, url: string, maxConnections: number): void {
  logger.warn({ url, maxConnections }, "http.too_many_connections");
}

/** `work`, at most once in each `intervalMs`. */
function onceIn(intervalMs: number, work: () => void): () => void {
  let nextAt = 0;
  return () => {
    const now = performance.now();
    if (now < nextAt) return;
    nextAt = now + intervalMs;
    work();
  };
}

function nodeOptions(limits: HttpLimits) {
  const soonestMs = Math.min(limits.headersTimeoutMs, limits.requestTimeoutMs);
  return {
    maxHeaderSize: limits.maxHeaderBytes,
    // Node refuses one above the other.
    headersTimeout: Math.min(limits.headersTimeoutMs, limits.requestTimeoutMs),
    requestTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: limits.keepAliveTimeoutMs,
    connectionsCheckingInterval: Math.max(10, Math.min(CHECK_INTERVAL_MS, soonestMs / 4)),
  };
}

function toListener(
  app: HttpServerOptions["app"],
): (incoming: IncomingMessage, outgoing: ServerResponse) => void {
  const answer = getRequestListener(app.fetch);
  return (incoming, outgoing) => void answer(incoming, outgoing);
}

function listen(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause) => reject(explainListenError(cause, host, port)));
    server.listen(port, host, () => {
      server.removeAllListeners("error");
      const address = server.address();
      resolve(typeof address === "object" && address !== null ? address.port : port);
    });
  });
}

function explainListenError(cause: NodeJS.ErrnoException, host: string, port: number): AppError {
  const failed = (code: string, message: string) => new AppError(code, message, { retry: "never", cause });
  switch (cause.code ?? "") {
    case "EADDRINUSE":
      return failed(
        "port_in_use",
        `port ${port} is already in use on ${host}: stop what listens there or set another port`,
      );
    case "EACCES":
      return failed("port_forbidden", `this user may not listen on port ${port}: set one above 1023`);
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
      return failed(
        "host_unavailable",
        `this machine has no address ${host}: set 0.0.0.0 for all, 127.0.0.1 for local only`,
      );
    default:
      return failed(
        "listen_failed",
        `cannot listen on ${host}, port ${port} (${cause.code ?? cause.message})`,
      );
  }
}

function reachableHost(host: string): string {
  if (host === "0.0.0.0" || host === "::" || host === "") return "localhost";
  return host.includes(":") ? `[${host}]` : host;
}

interface Connections {
  /** From now on each connection is closed behind its last answer, and at once when nothing is on its way. */
  drain(): void;
  count(): number;
}

interface Exchanges {
  /** Requests that have no complete answer yet. */
  open: number;
  /** What had been read at the end of the last answer: anything more is the beginning of a request. */
  bytesBefore: number;
}

/**
 * Knows which connections have a request in flight. Node's `server.close()` (20.20) does not: it cuts off an answer
 * that is written but not yet sent, and waits for connections that never sent a byte.
 */
function trackConnections(server: Server): Connections {
  const sockets = new Map<Socket, Exchanges>();
  const inFlight = new Set<ServerResponse>();
  let isDraining = false;
  server.on("connection", (socket: Socket) => {
    sockets.set(socket, { open: 0, bytesBefore: 0 });
    socket.once("close", () => sockets.delete(socket));
  });
  server.on("request", (request: IncomingMessage, response: ServerResponse) => {
    const { socket } = request;
    const exchanges = sockets.get(socket) ?? { open: 0, bytesBefore: 0 };
    exchanges.open += 1;
    inFlight.add(response);
    if (isDraining) response.setHeader("connection", "close");
    response.once("close", () => {
      exchanges.open -= 1;
      exchanges.bytesBefore = socket.bytesRead;
      inFlight.delete(response);
      if (isDraining && exchanges.open === 0) socket.destroySoon();
    });
  });
  return {
    drain: () => {
      isDraining = true;
      for (const response of inFlight) if (!response.headersSent) response.setHeader("connection", "close");
      for (const [socket, { open, bytesBefore }] of sockets) {
        if (open === 0 && socket.bytesRead === bytesBefore) socket.destroy();
      }
    },
    count: () => sockets.size,
  };
}

interface Closing {
  readonly server: Server;
  readonly connections: Connections;
  readonly graceMs: number;
  readonly logger: Logger;
  readonly url: string;
}

async function closeServer({ server, connections, graceMs, logger, url }: Closing): Promise<void> {
  const closed = new Promise<void>((resolve) => {
    // The close() of node:net: the one of node:http also stops the clock that cuts off slow senders.
    NetServer.prototype.close.call(server, () => resolve());
  });
  connections.drain();
  const force = setTimeout(() => {
    logger.warn({ url, connections: connections.count(), graceMs }, "http.close_forced");
    server.closeAllConnections();
  }, graceMs);
  await closed;
  clearTimeout(force);
  server.close();
  logger.info({ url }, "http.closed");
}
