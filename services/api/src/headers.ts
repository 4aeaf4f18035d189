/** What every answer tells a browser to do, and not to do, with it. */
import type { MiddlewareHandler } from "hono";
import { secureHeaders } from "hono/secure-headers";

import { DASHBOARD_PATH } from "./dashboard.ts";
import { REFERENCE_PATH } from "./openapi.ts";

/**
 * Of each answer, whatever it is: it is no page of anybody's frame, is of the type that it says, gives no address away, and
 * is kept by nobody unless its route allows that. What is not a page may load nothing at all.
 *
 * Browsers heed the order to come by TLS only when it came that way, so that it is sent without knowing what is in front.
 */
export function securityHeaders(): MiddlewareHandler {
  const ofAnswers = secureHeaders({
    ...COMMON,
    contentSecurityPolicy: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] },
  });
  const ofPages = secureHeaders({
    ...COMMON,
    // The pages set styles on their elements; scripts are their own files alone.
    contentSecurityPolicy: {
      defaultSrc: ["'self'"],
      styleSrc: ["'self'", "'unsafe-inline'"],
      imgSrc: ["'self'", "data:"],
      objectSrc: ["'none'"],
      baseUri: ["'self'"],
      formAction: ["'self'"],
      frameAncestors: ["'none'"],
    },
  });
  return async (c, next) => {
    await (isPage(c.req.path) ? ofPages : ofAnswers)(c, next);
    if (!c.res.headers.has("cache-control")) c.res.headers.set("cache-control", "no-store");
  };
}

const COMMON = {
  xFrameOptions: "DENY",
  // Of this host alone: what is below it is not ours to decide.
  strictTransportSecurity: "max-age=31536000",
} as const;

function isPage(path: string): boolean {
  return [DASHBOARD_PATH, REFERENCE_PATH].some((base) => path === base || path.startsWith(`${base}/`));
}
