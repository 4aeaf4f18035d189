/** Requests that are ready to be sent: every body is signed before the first one goes out. */
import { randomUUID } from "node:crypto";
import { createTemplates, signVariant } from "../webhooks.ts";

/** One request. */
export interface PreparedRequest {
  /** The last twelve digits of its X-Request-UUID. */
  readonly key: string;
  readonly head: string;
  readonly body: Buffer;
  /** Refs that it moves, each of which makes one trigger. */
  readonly changes: number;
}

/** Digits of `PreparedRequest.key`. */
export const KEY_LENGTH = 12;
/** Other heads of each template, so that a branch does not come back to a commit while an earlier push of it waits. */
const VARIANTS = 28;

interface Prepared {
  readonly body: Buffer;
  readonly changes: number;
  readonly beforeId: string;
  readonly afterId: string;
}

/** An endless row of requests with one of 512 × 28 bodies, each with a request uuid of its own. */
export function prepareRequests(target: {
  readonly host: string;
  readonly path: string;
  readonly secret: string;
}): () => PreparedRequest {
  const templates = createTemplates();
  const prepared = Array.from({ length: VARIANTS }, (_, variant) =>
    templates.map((template): Prepared => {
      const { body, signature, changes } = signVariant(
        template,
        { variant, after: (variant + VARIANTS - 1) % VARIANTS },
        target.secret,
      );
      return { body, changes, ...headAround(target, body.byteLength, signature) };
    }),
  ).flat();
  const idPrefix = randomUUID().slice(0, -KEY_LENGTH);
  let sent = 0;
  return () => {
    const next = prepared[sent % prepared.length];
    if (next === undefined) throw new Error("nothing is prepared");
    const key = sent.toString(16).padStart(KEY_LENGTH, "0");
    sent += 1;
    return {
      key,
      head: next.beforeId + idPrefix + key + next.afterId,
      body: next.body,
      changes: next.changes,
    };
  };
}

function headAround(
  target: { readonly host: string; readonly path: string },
  bytes: number,
  signature: string,
): { readonly beforeId: string; readonly afterId: string } {
  return {
    beforeId: `POST ${target.path} HTTP/1.1\r\nHost: ${target.host}\r\nX-Request-UUID: `,
    afterId: [
      "",
      "User-Agent: Bitbucket-Webhooks/2.0",
      "Content-Type: application/json",
      "X-Event-Key: repo:push",
      "X-Hook-UUID: 2c8a5b44-4f7e-4d7c-9d10-8f4b8f2f7a11",
      "X-Attempt-Number: 1",
      `X-Hub-Signature: ${signature}`,
      `Content-Length: ${bytes}`,
      "\r\n",
    ].join("\r\n"),
  };
}
