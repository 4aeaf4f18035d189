import type { Context } from "hono";
import type { z } from "zod";

import { ProblemError } from "./problem.ts";

/** What the API reads of one body. */
export const MAX_BODY_BYTES = 64 * 1024;

const JSON_TYPE = /^application\/(?:[\w.-]+\+)?json *(?:;|$)/i;

/**
 * The body, parsed. @throws ProblemError `unsupported_media_type`, `invalid_request`. @throws ZodError naming each field
 * that is wrong.
 */
export async function readJsonBody<Body>(c: Context, schema: z.ZodType<Body>): Promise<Body> {
  if (!JSON_TYPE.test(c.req.header("content-type") ?? "")) {
    throw new ProblemError("unsupported_media_type", "Send the body as `Content-Type: application/json`.");
  }
  return schema.parse(parseJson(await c.req.text()));
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new ProblemError("invalid_request", "The body is not JSON.");
  }
}
