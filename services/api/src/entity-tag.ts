/** Tells versions of a resource apart, so that nobody overwrites what he has not seen (RFC 9110, 13.1.1). */
import { createHash } from "node:crypto";

import { z } from "@hono/zod-openapi";

import { ProblemError } from "./problem.ts";

const TAG_CHARACTERS = 22;

/** The strong tag of a resource as it is shown: equal for equal content. */
export function entityTag(resource: unknown): string {
  return `"${createHash("sha256").update(JSON.stringify(resource)).digest("base64url").slice(0, TAG_CHARACTERS)}"`;
}

/** `If-Match`. */
export const matchHeaders = z.object({
  "if-match": z.string().max(1_000).optional().openapi({
    description: "The `ETag` of the version that this replaces, or `*` for whichever there is.",
    example: '"q5Cmh3ZtYo0xJ2vWcCjvAA"',
  }),
});

/**
 * Whether a request may replace the present version.
 * @throws ProblemError `precondition_required` without `If-Match`, `precondition_failed` when somebody has changed it.
 */
export function checkMatch(ifMatch: string | undefined, resource: unknown): void {
  if (ifMatch === undefined) {
    const detail = "Send `If-Match` with the `ETag` of the version that you have seen, or with `*`.";
    throw new ProblemError("precondition_required", detail);
  }
  const tag = entityTag(resource);
  if (ifMatch.trim() === "*" || ifMatch.split(",").some((each) => each.trim() === tag)) return;
  throw new ProblemError("precondition_failed", "It was changed since you have seen it. Read it again.", {
    etag: tag,
  });
}
