/** Answers as the values they hold. */
import type { z } from "zod";

import { BitbucketError } from "./bitbucket-error.ts";
import type { Endpoint } from "./endpoint.ts";
import type { HttpAnswer } from "./http-request.ts";
import { firstIssue } from "./schema-issue.ts";
import type { Transport } from "./transport.ts";

/**
 * Gets and reads one value.
 * @throws BitbucketError the transport's, the status's, or `bitbucket_invalid_response`.
 */
export async function getValue<T>(
  transport: Transport,
  endpoint: Endpoint,
  url: URL,
  schema: z.ZodType<T>,
): Promise<T> {
  const answer = await transport.get(endpoint, url);
  return parseValue(schema, parseJson(transport, endpoint, url, answer), url);
}

/** The JSON of a 200. @throws BitbucketError the status's, or `bitbucket_invalid_response` when it is not JSON. */
export function parseJson(transport: Transport, endpoint: Endpoint, url: URL, answer: HttpAnswer): unknown {
  if (answer.status !== 200) throw transport.errorOf(endpoint, url, answer);
  try {
    return JSON.parse(answer.body);
  } catch {
    // The parser's own message quotes the body.
    throw invalidResponse(url, "it is not JSON, something between us and Bitbucket may have answered");
  }
}

/** A value of the shape of a schema. @throws BitbucketError `bitbucket_invalid_response`, with the JSON path. */
export function parseValue<T>(
  schema: z.ZodType<T>,
  value: unknown,
  url: URL,
  within: readonly PropertyKey[] = [],
): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const { path, message } = firstIssue(parsed.error, within);
  throw invalidResponse(url, `${path === "" ? "the whole" : path}: ${message}`);
}

/** An answer that cannot be used. */
export function invalidResponse(url: URL, because: string): BitbucketError {
  return new BitbucketError(
    "bitbucket_invalid_response",
    `what Bitbucket answered for ${url.pathname} cannot be used: ${because}`,
    { retry: "backoff", status: 200 },
  );
}
