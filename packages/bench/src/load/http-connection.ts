/**
 * One keep-alive connection that posts prepared bytes. Written by hand, because the generator shares its cores with
 * what it measures: `node:http` and autocannon cost several times as much for each request.
 */
import { connect } from "node:net";
import { once } from "node:events";

/** A connection with at most one request under way. */
export interface HttpConnection {
  /** Resolves with the status once the whole answer was read. @throws Error when the connection breaks */
  post(head: string, body: Buffer): Promise<number>;
  close(): void;
}

interface Exchange {
  readonly resolve: (status: number) => void;
  readonly reject: (error: Error) => void;
}

const END_OF_HEAD = "\r\n\r\n";
const CONTENT_LENGTH = /\r\ncontent-length: (\d+)/i;

/** @throws Error when nobody listens there. */
export async function openHttpConnection(host: string, port: number): Promise<HttpConnection> {
  const socket = connect({ host, port, noDelay: true });
  await once(socket, "connect");
  let received: Buffer = Buffer.alloc(0);
  let exchange: Exchange | null = null;

  const settle = (then: (waiting: Exchange) => void): void => {
    const waiting = exchange;
    exchange = null;
    if (waiting !== null) then(waiting);
  };
  socket.on("data", (chunk: Buffer) => {
    received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
    const status = readStatus(received);
    if (status === null) return;
    received = Buffer.alloc(0);
    settle(({ resolve }) => resolve(status));
  });
  socket.on("error", (error) => settle(({ reject }) => reject(error)));
  socket.on("close", () => settle(({ reject }) => reject(new Error("the server has hung up"))));

  return {
    post: (head, body) =>
      new Promise((resolve, reject) => {
        if (socket.destroyed) {
          reject(new Error("the server has hung up"));
          return;
        }
        exchange = { resolve, reject };
        // One packet for both.
        socket.cork();
        socket.write(head, "latin1");
        socket.write(body);
        socket.uncork();
      }),
    close: () => void socket.destroy(),
  };
}

/** The status of a complete answer; null = more has to come. @throws Error for an answer without a Content-Length */
function readStatus(received: Buffer): number | null {
  const end = received.indexOf(END_OF_HEAD);
  if (end === -1) return null;
  const head = received.toString("latin1", 0, end);
  const length = CONTENT_LENGTH.exec(head)?.[1];
  if (length === undefined) throw new Error("an answer has no Content-Length");
  if (received.length < end + END_OF_HEAD.length + Number(length)) return null;
  return Number(head.slice("HTTP/1.1 ".length, "HTTP/1.1 200".length));
}
