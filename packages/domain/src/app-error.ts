/** What a caller may do about a failure: never try again, try again with backoff, or try again after a known time. */
export type RetryAdvice = "never" | "backoff" | { readonly afterMs: number };

/**
 * A failure that a reader can act on: `code` is stable and machine readable, the message says what failed, which
 * thing, and what to do. Expected outcomes are values, not errors.
 */
export class AppError extends Error {
  readonly code: string;
  readonly retry: RetryAdvice;

  constructor(code: string, message: string, options: { retry?: RetryAdvice; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "AppError";
    this.code = code;
    this.retry = options.retry ?? "backoff";
  }
}
