/** What an answer that is not the one wanted means, and what a person does about it. */
import { z } from "zod";

import { BitbucketError, type BitbucketErrorCode } from "./bitbucket-error.ts";
import type { Endpoint } from "./endpoint.ts";
import type { HttpAnswer } from "./http-request.ts";
import { parseRetryAfter } from "./retry-after.ts";
import { clippedText } from "./storable-text.ts";

const MAX_QUOTE_LENGTH = 200;
/** Bitbucket's own, for a diffstat that takes it too long. */
const DIFF_TIMEOUT_STATUS = 555;

const errorBodySchema = z.object({ error: z.object({ message: z.string().min(1) }) });

/** The failure that an answer is. `secrets` are not repeated, also where the answer holds them. */
export function answerError(input: {
  readonly endpoint: Endpoint;
  readonly url: URL;
  readonly answer: HttpAnswer;
  readonly nowMs: number;
  readonly secrets: readonly string[];
}): BitbucketError {
  const { endpoint, url, answer, nowMs, secrets } = input;
  const { status } = answer;
  const retryAfterMs = parseRetryAfter(answer.headers.get("retry-after"), nowMs);
  const later = retryAfterMs === null ? "backoff" : { afterMs: retryAfterMs };
  const call = `${endpoint.method ?? "GET"} ${url.pathname} was answered ${status}${quote(answer.body, secrets)}`;
  const needs = `${endpoint.scope} (access token: "${endpoint.permission}")`;
  const fail = (code: BitbucketErrorCode, sentence: string, retry: BitbucketError["retry"]) =>
    new BitbucketError(code, `${sentence}: ${call}`, { retry, status });

  switch (status) {
    case 401:
      return fail(
        "bitbucket_unauthorized",
        `the credential is wrong, expired or revoked, give the integration a new one with ${needs}`,
        "backoff",
      );
    case 403:
      return fail(
        "bitbucket_forbidden",
        `the credential lacks ${needs}, or its owner has no access to the repository`,
        "backoff",
      );
    case 404:
      return fail("bitbucket_not_found", "not there, or not to be seen with this credential", "never");
    case 410:
      return fail(
        "bitbucket_gone",
        "Bitbucket has removed this endpoint, a newer version is needed",
        "never",
      );
    case 429:
      return fail("bitbucket_rate_limited", "the hourly limit of this credential is used up", later);
    case DIFF_TIMEOUT_STATUS:
      return fail("bitbucket_diff_timeout", "Bitbucket gave up computing the diffstat", "backoff");
    default:
      if (status >= 500) return fail("bitbucket_unavailable", "Bitbucket has a problem of its own", later);
      if (status >= 400) return fail("bitbucket_bad_request", "Bitbucket refuses the request", "never");
      return fail("bitbucket_invalid_response", "this status was not expected", "backoff");
  }
}

/** Bitbucket's own sentence, if the body is JSON and has one: errors also come as text, HTML or nothing. */
function quote(body: string, secrets: readonly string[]): string {
  const message = readMessage(body);
  if (message === null || secrets.some((secret) => message.includes(secret))) return "";
  return ` ("${clippedText(message.replaceAll(/\s+/g, " "), MAX_QUOTE_LENGTH)}")`;
}

function readMessage(body: string): string | null {
  try {
    return errorBodySchema.safeParse(JSON.parse(body)).data?.error.message ?? null;
  } catch {
    return null;
  }
}
