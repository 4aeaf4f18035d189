import { createHash, timingSafeEqual } from "node:crypto";

import type { MiddlewareHandler } from "hono";

import { ProblemError } from "./problem.ts";

/** Whether a text is the key; takes the same time whatever the text is. */
export type KeyCheck = (candidate: string) => boolean;

export function createKeyCheck(key: string): KeyCheck {
  const expected = digest(key);
  // Digests have one length, so that not even the key's length shows.
  return (candidate) => timingSafeEqual(digest(candidate), expected);
}

/** For programs: `Authorization: Bearer <key>`. */
export function requireBearer(isKey: KeyCheck): MiddlewareHandler {
  return async (c, next) => {
    const [, candidate] = /^Bearer +(\S+) *$/i.exec(c.req.header("authorization") ?? "") ?? [];
    if (candidate === undefined || !isKey(candidate)) {
      c.header("www-authenticate", 'Bearer realm="sluice"');
      throw new ProblemError("unauthorized", "Send `Authorization: Bearer <key>` with the key of this API.");
    }
    await next();
  };
}

/** For browsers: any user, with the key as password. */
export function requireBasic(isKey: KeyCheck): MiddlewareHandler {
  return async (c, next) => {
    const [, encoded] = /^Basic +(\S+) *$/i.exec(c.req.header("authorization") ?? "") ?? [];
    const credentials = Buffer.from(encoded ?? "", "base64").toString("utf8");
    const colonAt = credentials.indexOf(":");
    if (colonAt === -1 || !isKey(credentials.slice(colonAt + 1))) {
      c.header("www-authenticate", 'Basic realm="sluice", charset="UTF-8"');
      throw new ProblemError("unauthorized", "Sign in with any user and the key of this API as password.");
    }
    await next();
  };
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
