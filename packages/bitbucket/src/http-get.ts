/** One HTTP GET with an end: bounded in time and in size, redirects not followed. Knows nothing of Bitbucket's API. */
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

/**
 * Sends one GET. Node's fetch keeps connections alive and shares them in the process.
 * @throws BitbucketError `bitbucket_timeout`, `bitbucket_unreachable`, `bitbucket_response_too_large`.
 */
export async function httpGet(request: {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly timeouts: HttpTimeouts;
  /** Of the body, after decompression. */
  readonly maxBytes: number;
  readonly fetch: typeof fetch;
}): Promise<HttpAnswer> {
  const { url, timeouts, maxBytes } = request;
  const deadline = createDeadline(timeouts.headersMs);
  try {
    const { signal } = deadline;
    const response = await request.fetch(url, { headers: request.headers, redirect: "manual", signal });
    deadline.restart(timeouts.bodyMs);
    const body = await readBody(response.body, maxBytes);
    if (body === null) throw tooLarge(url, maxBytes);
    return { status: response.status, headers: response.headers, body };
  } catch (error) {
    if (error instanceof BitbucketError) throw error;
    throw deadline.isOver() ? timedOut(url, timeouts) : unreachable(url, error);
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

function tooLarge(url: URL, maxBytes: number): BitbucketError {
  return new BitbucketError(
    "bitbucket_response_too_large",
    `Bitbucket's answer to GET ${url.pathname} has more than ${maxBytes} bytes and was not read`,
    { retry: "never" },
  );
}

function timedOut(url: URL, { headersMs, bodyMs }: HttpTimeouts): BitbucketError {
  return new BitbucketError(
    "bitbucket_timeout",
    `Bitbucket did not answer GET ${url.pathname} in time (${headersMs} ms to the headers, ${bodyMs} ms to the end)`,
    { retry: "backoff" },
  );
}

function unreachable(url: URL, cause: unknown): BitbucketError {
  return new BitbucketError(
    "bitbucket_unreachable",
    `the connection to ${url.host} failed (GET ${url.pathname}): check the network, DNS and proxies`,
    { retry: "backoff", cause },
  );
}
