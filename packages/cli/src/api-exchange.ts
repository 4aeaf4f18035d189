/** One request to Sluice's API, and what its answer means. */
import { AppError } from "@sluice/domain/app-error";
import { describeError } from "@sluice/runtime/redaction";
import { z } from "zod";

import { ApiError } from "./api-error.ts";
import type { ApiAccess } from "./find-api.ts";
import { toOneLine } from "./one-line.ts";

/** The API answers in ten seconds; ten thousand stacks, and a slow line, take longer. */
const TIMEOUT_MS = 120_000;

/** What is sent. */
export interface ApiRequest {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** From `/v1` on, with its query. */
  readonly path: string;
  /** Sent as JSON; undefined: nothing is. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What came back, of whatever status. */
export interface ApiAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

/**
 * Sends a request, once. The key goes to the address that it was given for, and nowhere else: redirects are not followed.
 * @throws AppError `api_unreachable`.
 */
export async function sendToApi({ url, key }: ApiAccess, request: ApiRequest): Promise<ApiAnswer> {
  const { method, path, body } = request;
  const sent = body === undefined ? {} : { body: JSON.stringify(body) };
  try {
    const response = await fetch(`${url}${path}`, {
      method,
      headers: {
        accept: "application/json",
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...request.headers,
        authorization: `Bearer ${key}`,
      },
      ...sent,
      redirect: "manual",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    return { status: response.status, headers: response.headers, text: await response.text() };
  } catch (cause) {
    const reason = hideKey(describeError(cause), key);
    const advice =
      method === "GET" ? "see that Sluice's API runs there" : "before you repeat it, see whether it was done";
    throw new AppError("api_unreachable", `${url} cannot be reached (${reason}): ${advice}`, { cause });
  }
}

/** What an answer says. @throws ApiError for a refusal, AppError `api_answer_unknown`. */
export function readApiAnswer<Value>(access: ApiAccess, answer: ApiAnswer, schema: z.ZodType<Value>): Value {
  const { status, text } = answer;
  if (status < 200 || status > 299) throw toApiError(access, answer);
  const value = schema.safeParse(parseJson(text));
  if (value.success) return value.data;
  const message = `${access.url} does not answer as this release expects: see that both have one version`;
  throw new AppError("api_answer_unknown", message, { retry: "never" });
}

const problemSchema = z.looseObject({ type: z.string(), title: z.string(), detail: z.string().optional() });
const PROBLEM_TYPE = /^urn:sluice:problem:([a-z0-9_]+)$/;

/** What a proxy answers in the API's place is told too; what anybody repeats of the key is not. */
function toApiError({ url, key }: ApiAccess, { status, headers, text }: ApiAnswer): ApiError {
  const problem = problemSchema.safeParse(parseJson(text));
  const [, code] = PROBLEM_TYPE.exec(problem.data?.type ?? "") ?? [];
  if (problem.success && code !== undefined) {
    const { title, detail = title } = problem.data;
    return new ApiError(status, code, toOneLine(hideKey(detail, key)));
  }
  const place = headers.get("location");
  const what = place === null ? "without saying why" : `to go to another place (${toOneLine(place)})`;
  const message = `${url} answered ${String(status)} ${what}: see that this is the address of Sluice's API`;
  return new ApiError(status, "api_answer_unknown", hideKey(message, key));
}

function hideKey(text: string, key: string): string {
  return text.replaceAll(key, "[key]");
}

/** undefined: it is not JSON. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
