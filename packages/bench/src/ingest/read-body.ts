/** Reads a request's body as bytes, as fast as Node can: what is compared is what comes after it. */
import type { IncomingMessage } from "node:http";

/** @throws Error when the sender goes away. */
export function readBody(request: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => void chunks.push(chunk));
    request.on("end", () => {
      const [first] = chunks;
      resolve(first !== undefined && chunks.length === 1 ? first : Buffer.concat(chunks));
    });
    request.on("error", reject);
  });
}
