/** Connections to Postgres that are closed when nobody answers on them any more. */
import { Socket } from "node:net";

import { connectionTimeout } from "./connection-timeout.ts";

/** How late the silence may be noticed. */
const LOOK_INTERVAL_MS = 1_000;

/**
 * While more than `writableHighWaterMark` bytes wait to be sent, the driver holds back the statements after them until all
 * before are answered (postgres 3.4.9, src/connection.js `execute`). A transaction's statements are to go together, and
 * what waits is in memory anyway.
 */
const SOCKET_OPTIONS = { allowHalfOpen: false, writableHighWaterMark: 16 * 1024 * 1024 };

/** Of the driver's options, parsed, what says where to connect to (postgres 3.4.9, src/index.js `parseOptions`). */
interface SocketOptions {
  readonly host: readonly string[];
  readonly port: readonly number[];
  /** Of a Unix socket; otherwise falsy. */
  readonly path: string | false | undefined;
  /** null = a connection that listens: it may be silent for ever. */
  readonly idle_timeout: number | null;
}

/**
 * The driver's option `socket`: makes a connection that is closed when it has been sent something and nothing was
 * received for `silenceMs`. The driver has no such limit: what it has sent to a server that is frozen, or behind a
 * network that swallows packets, would be answered when TCP gives up, a quarter of an hour later.
 *
 * The driver has to close idle connections before that time: these too are silent. Counted bytes are all that can be
 * seen of a connection with TLS, so whether an answer is outstanding is not known for sure after something was received.
 */
export function createWatchedSocket(silenceMs: number): (options: SocketOptions) => Socket {
  return ({ host: [host = "localhost"], port: [port = 5432], path, idle_timeout: idleTimeout }) => {
    const socket = new Socket(SOCKET_OPTIONS);
    // For its messages, and for the name in the server's certificate, the driver reads them here.
    Object.assign(socket, { host, port });
    if (typeof path === "string") socket.connect(path);
    else socket.connect(port, host);
    if (idleTimeout !== null) watch(socket, silenceMs);
    return socket;
  };
}

function watch(socket: Socket, silenceMs: number): void {
  let since = performance.now();
  let isWaiting = false;
  let read = 0;
  let written = 0;
  const look = () => {
    // Not by an event: for TLS the driver takes all listeners away.
    if (socket.destroyed) return clearInterval(timer);
    const now = performance.now();
    if (socket.bytesRead !== read) {
      since = now;
      isWaiting = false;
    } else if (socket.bytesWritten !== written && !isWaiting) {
      since = now;
      isWaiting = true;
    }
    read = socket.bytesRead;
    written = socket.bytesWritten;
    if (now - since >= silenceMs) close(socket, silenceMs);
  };
  const timer = setInterval(look, Math.min(LOOK_INTERVAL_MS, silenceMs / 4)).unref();
}

/** Below TLS nobody listens for errors; statements then fail with the driver's CONNECTION_CLOSED. */
function close(socket: Socket, silenceMs: number): void {
  const hasListener = socket.listenerCount("error") > 0;
  socket.destroy(hasListener ? connectionTimeout(`no answer within ${String(silenceMs)} ms`) : undefined);
}
