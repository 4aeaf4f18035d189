/** Bitbucket's own addresses: what bodies link to, whatever address the simulator listens on. */
import type { JsonObject } from "./json.ts";

export const API = "https://api.bitbucket.org/2.0";
export const SITE = "https://bitbucket.org";

/** A link as every `links` object holds it. */
export function href(url: string): JsonObject {
  return { href: url };
}
