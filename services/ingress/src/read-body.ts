import type { IncomingMessage } from "node:http";

import type { BodyBudget } from "./body-budget.ts";

export type BodyRead =
  | { readonly kind: "read"; readonly body: Buffer }
  | { readonly kind: "too_large" }
  /** There is no room for it now. */
  | { readonly kind: "no_room" }
  /** The sender went away, or was cut off because it was too slow. */
  | { readonly kind: "aborted" };

/** What becomes of each chunk; anything but null ends the reading. */
type Take = (chunk: Buffer) => "no_room" | null;

/**
 * Reads a request's body as bytes, without ever holding more than `maxBytes` or than the budget has; what it took from
 * the budget is the caller's to give back when a body was read. The stream is read directly: going through text costs
 * a third of the throughput, and the signature is over the bytes.
 */
export async function readBody(
  request: IncomingMessage,
  { maxBytes, budget }: { readonly maxBytes: number; readonly budget: BodyBudget },
): Promise<BodyRead> {
  const declared = declaredBytes(request);
  if (declared <= maxBytes && !budget.hasRoomFor(declared)) return { kind: "no_room" };
  const chunks: Buffer[] = [];
  let taken = 0;
  const end = await readChunks(request, maxBytes, (chunk) => {
    if (!budget.take(chunk.byteLength)) return "no_room";
    taken += chunk.byteLength;
    chunks.push(chunk);
    return null;
  });
  if (end === "end") {
    const [first] = chunks;
    return {
      kind: "read",
      body: first !== undefined && chunks.length === 1 ? first : Buffer.concat(chunks),
    };
  }
  budget.giveBack(taken);
  return { kind: end };
}

/** Reads a body of at most `maxBytes` to its end and keeps nothing of it. */
export async function discardBody(
  request: IncomingMessage,
  maxBytes: number,
): Promise<"discarded" | "too_large" | "aborted"> {
  const end = await readChunks(request, maxBytes, () => null);
  // Only a budget has no room, and here is none.
  return end === "too_large" || end === "aborted" ? end : "discarded";
}

function readChunks(
  request: IncomingMessage,
  maxBytes: number,
  take: Take,
): Promise<"end" | "too_large" | "no_room" | "aborted"> {
  if (declaredBytes(request) > maxBytes) return Promise.resolve("too_large");
  return new Promise((resolve) => {
    let bytes = 0;
    const settle = (end: "end" | "too_large" | "no_room" | "aborted") => {
      request.off("data", onData).off("end", onEnd).off("error", onAbort).off("close", onAbort);
      resolve(end);
    };
    const onData = (chunk: Buffer) => {
      bytes += chunk.byteLength;
      const refusal = bytes > maxBytes ? "too_large" : take(chunk);
      if (refusal === null) return;
      request.pause();
      settle(refusal);
    };
    const onEnd = () => settle("end");
    const onAbort = () => settle("aborted");
    request.on("data", onData).on("end", onEnd).on("error", onAbort).on("close", onAbort);
  });
}

/** 0 when the length is not declared. */
function declaredBytes(request: IncomingMessage): number {
  return Number(request.headers["content-length"] ?? 0);
}
