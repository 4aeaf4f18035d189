/** The way of every call: guard, budget, request, lesson, redirects; identical GETs at the same time made once. */
import { answerError } from "./answer-error.ts";
import { apiUrl, followUrl } from "./api-url.ts";
import { BitbucketError } from "./bitbucket-error.ts";
import type { CallBudget } from "./budget.ts";
import type { CredentialGuard } from "./credential-guard.ts";
import type { Endpoint } from "./endpoint.ts";
import { type HttpAnswer, httpRequest, type HttpTimeouts } from "./http-request.ts";
import { parseRateLimit, parseRetryAfter } from "./retry-after.ts";
import type { SingleFlight } from "./single-flight.ts";

/** A renamed repository takes one, a pull request's diffstat another. */
const MAX_REDIRECTS = 5;
const REDIRECT_STATUSES: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/** One request that was made, for metrics. */
export interface CallObservation {
  /** The name of the endpoint, of low cardinality. */
  readonly endpoint: string;
  /** Null when there was no answer. */
  readonly status: number | null;
  readonly durationMs: number;
}

/** What the transport is made of. */
export interface TransportOptions {
  readonly baseUrl: URL;
  /** The value of `Authorization`. */
  readonly authorization: string;
  /** Must not appear in a message, whatever an answer holds. */
  readonly secrets: readonly string[];
  readonly credentialId: string;
  readonly budget: CallBudget;
  readonly guard: CredentialGuard;
  readonly singleFlight: SingleFlight<HttpAnswer>;
  readonly userAgent: string;
  readonly timeouts: HttpTimeouts;
  readonly maxResponseBytes: number;
  readonly onCall: (observation: CallObservation) => void;
  readonly fetch: typeof fetch;
  readonly now: () => number;
}

/** Calls what is below the base URL with one credential. */
export interface Transport {
  /** An address below the base. */
  url(path: string, query?: Readonly<Record<string, string>>): URL;
  /**
   * The answer, whatever its status, after redirects.
   * @throws BitbucketError `bitbucket_budget_exhausted`, `bitbucket_timeout`, `bitbucket_unreachable`,
   * `bitbucket_response_too_large`, `bitbucket_redirect_refused`; and what the budget and the guard throw.
   */
  get(endpoint: Endpoint, url: URL): Promise<HttpAnswer>;
  /**
   * The answer to a request that changes something, of the method of its endpoint, whatever the status. It is sent once: no
   * redirect is followed, and nobody else's is joined. After a failure it may have been done all the same.
   * @throws BitbucketError as `get`; `bitbucket_redirect_refused` for any redirect.
   */
  send(endpoint: Endpoint, url: URL, body: unknown): Promise<HttpAnswer>;
  /** Where the `next` of a page leads. @throws BitbucketError `bitbucket_redirect_refused`. */
  follow(from: URL, reference: string): URL;
  /** The failure that an answer is. `secrets`: of the request, besides the credential, to be repeated nowhere. */
  errorOf(endpoint: Endpoint, url: URL, answer: HttpAnswer, secrets?: readonly string[]): BitbucketError;
}

/** A transport for one credential. */
export function createTransport(options: TransportOptions): Transport {
  const { baseUrl, credentialId, guard, singleFlight, secrets, now } = options;
  const learn = createLearner(options);
  const errorOf: Transport["errorOf"] = (endpoint, url, answer, more = []) =>
    answerError({ endpoint, url, answer, nowMs: now(), secrets: [...secrets, ...more] });

  async function tellGuard(endpoint: Endpoint, url: URL, answer: HttpAnswer): Promise<void> {
    const { status } = answer;
    if (status !== 401 && status !== 403) return;
    await guard.refused({ status, message: errorOf(endpoint, url, answer).message });
  }

  function follow(from: URL, reference: string): URL {
    const url = followUrl(baseUrl, from, reference);
    if (url === null) throw refused(`GET ${from.pathname}`, `it leads away from ${baseUrl.href}`);
    return url;
  }

  async function getThroughRedirects(endpoint: Endpoint, first: URL): Promise<HttpAnswer> {
    let url = first;
    for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects += 1) {
      const answer = await requestOnce(options, endpoint, { url, json: null });
      await learn(answer);
      await tellGuard(endpoint, url, answer);
      const location = REDIRECT_STATUSES.has(answer.status) ? answer.headers.get("location") : null;
      if (location === null) return answer;
      url = follow(url, location);
    }
    throw refused(`GET ${first.pathname}`, `there are more than ${MAX_REDIRECTS} in a row`);
  }

  async function send(endpoint: Endpoint, url: URL, body: unknown): Promise<HttpAnswer> {
    const json = body === undefined ? null : JSON.stringify(body);
    const answer = await requestOnce(options, endpoint, { url, json });
    await learn(answer);
    await tellGuard(endpoint, url, answer);
    if (!REDIRECT_STATUSES.has(answer.status)) return answer;
    const because = "what changes something goes to its own address alone, the name may be an old one";
    throw refused(`${endpoint.method ?? "GET"} ${url.pathname}`, because);
  }

  return {
    url: (path, query) => apiUrl(baseUrl, path, query),
    get: (endpoint, url) =>
      singleFlight.run(`${credentialId} ${url.href}`, () => getThroughRedirects(endpoint, url)),
    send,
    follow,
    errorOf,
  };
}

async function requestOnce(
  options: TransportOptions,
  endpoint: Endpoint,
  { url, json }: { readonly url: URL; readonly json: string | null },
): Promise<HttpAnswer> {
  const { authorization, budget, credentialId, guard, maxResponseBytes, onCall, timeouts, userAgent } =
    options;
  const { method = "GET" } = endpoint;
  await guard.admit();
  const taken = await budget.take(credentialId);
  if (!taken.granted) throw exhausted(`${method} ${url.pathname}`, taken.retryAfterMs);
  const startedAt = performance.now();
  let status: number | null = null;
  try {
    const headers = {
      accept: "application/json",
      authorization,
      "user-agent": userAgent,
      ...(json === null ? {} : { "content-type": "application/json" }),
    };
    const answer = await httpRequest({
      method,
      url,
      json,
      headers,
      timeouts,
      maxBytes: maxResponseBytes,
      fetch: options.fetch,
    });
    status = answer.status;
    return answer;
  } finally {
    onCall({ endpoint: endpoint.name, status, durationMs: performance.now() - startedAt });
  }
}

/** Tells the budget what answers teach; a limit that it already knows is not told again with every call. */
function createLearner({ budget, credentialId, now }: TransportOptions) {
  let knownLimit: number | null = null;
  return async (answer: HttpAnswer): Promise<void> => {
    if (answer.status === 429) {
      const retryAfterMs = parseRetryAfter(answer.headers.get("retry-after"), now());
      await budget.learn(credentialId, { kind: "limited", retryAfterMs });
    }
    const limitPerHour = parseRateLimit(answer.headers.get("x-ratelimit-limit"));
    if (limitPerHour === null || limitPerHour === knownLimit) return;
    await budget.learn(credentialId, { kind: "limit", limitPerHour });
    knownLimit = limitPerHour;
  };
}

function exhausted(call: string, retryAfterMs: number): BitbucketError {
  return new BitbucketError(
    "bitbucket_budget_exhausted",
    `${call} waits ${retryAfterMs} ms: the calls of this credential are used up for now`,
    { retry: { afterMs: retryAfterMs } },
  );
}

function refused(call: string, because: string): BitbucketError {
  return new BitbucketError(
    "bitbucket_redirect_refused",
    `the address that ${call} sent us to was not followed: ${because}`,
    { retry: "never" },
  );
}
