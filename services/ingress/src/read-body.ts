import type { IncomingMessage } from "node:http";

export type BodyRead =
  | { readonly kind: "read"; readonly body: Buffer }
  | { readonly kind: "too_large" }
  /** The sender went away, or was cut off because it was too slow. */
  | { readonly kind: "aborted" };

/**
 * Reads a request's body as bytes, without ever holding more than `maxBytes`. The stream is read directly: going
 * through text costs a third of the throughput, and the signature is over the bytes.
 */
export function readBody(request: IncomingMessage, maxBytes: number): Promise<BodyRead> {
  const declared = Number(request.headers["content-length"] ?? 0);
  if (declared > maxBytes) return Promise.resolve({ kind: "too_large" });
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const settle = (result: BodyRead) => {
      request.off("data", onData).off("end", onEnd).off("error", onAbort).off("close", onAbort);
      resolve(result);
    };
    const onData = (chunk: Buffer) => {
      bytes += chunk.byteLength;
      if (bytes > maxBytes) {
        request.pause();
        settle({ kind: "too_large" });
        return;
      }
      chunks.push(chunk);
    };
    const onEnd = () => {
      const [first] = chunks;
      settle({
        kind: "read",
        body: first !== undefined && chunks.length === 1 ? first : Buffer.concat(chunks),
      });
    };
    const onAbort = () => {
      settle({ kind: "aborted" });
    };
    request.on("data", onData).on("end", onEnd).on("error", onAbort).on("close", onAbort);
  });
}
