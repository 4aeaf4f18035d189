/** Paths as they may be logged. */
import { MIN_KEY_LENGTH } from "./config.ts";

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const HIDDEN = "…";

/**
 * A path without what may be a key that somebody has put there: any part as long as a key that is no id. Names of routes
 * are shorter.
 */
export function loggablePath(path: string): string {
  return path
    .split("/")
    .map((part) => (part.length < MIN_KEY_LENGTH || UUID.test(part) ? part : HIDDEN))
    .join("/");
}
