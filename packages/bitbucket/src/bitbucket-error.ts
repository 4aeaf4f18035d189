/** The failures of a call to Bitbucket. */
import { AppError, type RetryAdvice } from "@sluice/domain/app-error";

/** Every way in which a call fails. Stable: rules, metrics and documentation refer to these words. */
export type BitbucketErrorCode =
  /** 401: the token is wrong, expired or revoked. The event waits (rule 17). */
  | "bitbucket_unauthorized"
  /** 403: a scope is missing, or access to the repository. The event waits (rule 17). */
  | "bitbucket_forbidden"
  /** 404: not there, or not to be seen with this token; Bitbucket does not say which. */
  | "bitbucket_not_found"
  /** 410: Bitbucket has removed the endpoint. */
  | "bitbucket_gone"
  /** Any other 4xx. */
  | "bitbucket_bad_request"
  /** 429. The event waits (rule 17). */
  | "bitbucket_rate_limited"
  /** Our own budget of calls is used up; nothing was sent. */
  | "bitbucket_budget_exhausted"
  /** 5xx. */
  | "bitbucket_unavailable"
  /** 555, which Bitbucket answers when a diffstat takes it too long. */
  | "bitbucket_diff_timeout"
  /** Not JSON, or JSON of another shape. */
  | "bitbucket_invalid_response"
  | "bitbucket_response_too_large"
  | "bitbucket_timeout"
  | "bitbucket_unreachable"
  /** It sent us to another host, or in circles: the credential stays where it was meant for. */
  | "bitbucket_redirect_refused"
  | "bitbucket_too_many_pages"
  /** A list became shorter while its pages were read: part of it was not seen. */
  | "bitbucket_list_changed"
  /** A name that no URL can hold safely, such as `..`. */
  | "bitbucket_invalid_name"
  /** A credential that no header can hold. */
  | "bitbucket_invalid_credential";

/** A call that failed. Its message names the call and what to do, and never holds the credential. */
export class BitbucketError extends AppError {
  declare readonly code: BitbucketErrorCode;
  /** The HTTP status; null when there was no answer, or the answer was not the failure. */
  readonly status: number | null;

  constructor(
    code: BitbucketErrorCode,
    message: string,
    options: { retry: RetryAdvice; status?: number; cause?: unknown },
  ) {
    super(code, message, options);
    this.name = "BitbucketError";
    this.status = options.status ?? null;
  }
}
