/** One HTTP request with an end: bounded in time and in size, redirects not followed. Knows nothing of Bitbucket's API. */
import { BitbucketError } from "./bitbucket-error.ts";

/** How long a request may take, in ms. */
export interface HttpTimeouts {
  /** From the start, connecting included, to the last header. */
  readonly headersMs: number;
  /** From the last header to the last byte. */
  readonly bodyMs: number;
}

/** A whole answer, whatever its status. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: Headers;
  /** Decoded as UTF-8, with U+FFFD for what is not. */
  readonly body: string;
}

/** What a request asks for. */
export type HttpMethod = "GET" | "POST" | "PUT" | "DELETE";

/**
 * Sends one request. Node's fetch keeps connections alive and shares them in the process.
 * @throws BitbucketError `bitbucket_timeout`, `bitbucket_unreachable`, `bitbucket_response_too_large`.
 */
export async function httpRequest(request: {
  readonly method: HttpMethod;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  /** What is sent; null: nothing. */
  readonly json: string | null;
  readonly timeouts: HttpTimeouts;
  /** Of the answer, after decompression. */
  readonly maxBytes: number;
  readonly fetch: typeof fetch;
}): Promise<HttpAnswer> {
  const { method, url, json, timeouts, maxBytes } = request;
  const call = `${method} ${url.pathname}`;
  const deadline = createDeadline(timeouts.headersMs);
  try {
    const { signal } = deadline;
    const response = await request.fetch(url, {
      method,
      headers: request.headers,
      redirect: "manual",
      signal,
      ...(json === null ? {} : { body: json }),
    });
    deadline.restart(timeouts.bodyMs);
    const body = await readBody(response.body, maxBytes);
    if (body === null) throw tooLarge(call, maxBytes);
    return { status: response.status, headers: response.headers, body };
  } catch (error) {
    if (error instanceof BitbucketError) throw error;
    throw deadline.isOver() ? timedOut(call, timeouts) : unreachable(call, url.host, error);
  } finally {
    deadline.end();
  }
}

/** Null when there are more than `maxBytes`: the rest is not read, and the connection is closed. */
async function readBody(body: ReadableStream<Uint8Array> | null, maxBytes: number): Promise<string | null> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  // Leaving the loop early cancels the stream.
  for await (const chunk of body ?? []) {
    size += chunk.byteLength;
    if (size > maxBytes) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function createDeadline(firstMs: number) {
  const controller = new AbortController();
  let timer = setTimeout(() => controller.abort(), firstMs);
  return {
    signal: controller.signal,
    isOver: () => controller.signal.aborted,
    restart(ms: number): void {
      clearTimeout(timer);
      timer = setTimeout(() => controller.abort(), ms);
    },
    end: () => clearTimeout(timer),
  };
}

function tooLarge(call: string, maxBytes: number): BitbucketError {
  return new BitbucketError(
    "bitbucket_response_too_large",
    `Bitbucket's answer to ${call} has more than ${maxBytes} bytes and was not read`,
    { retry: "never" },
  );
}

function timedOut(call: string, { headersMs, bodyMs }: HttpTimeouts): BitbucketError {
  return new BitbucketError(
    "bitbucket_timeout",
    `Bitbucket did not answer ${call} in time (${headersMs} ms to the headers, ${bodyMs} ms to the end)`,
    { retry: "backoff" },
  );
}

function unreachable(call: string, host: string, cause: unknown): BitbucketError {
  return new BitbucketError(
    "bitbucket_unreachable",
    `the connection to ${host} failed (${call}): check the network, DNS and proxies`,
    { retry: "backoff", cause },
  );
}
