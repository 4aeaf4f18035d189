/** Every answer that is not a success, as application/problem+json (RFC 9457). */
import { AppError } from "@sluice/domain/app-error";
import type { Logger } from "@sluice/runtime/logger";
import { isTransientDatabaseError } from "@sluice/store/database-error";
import type { Context } from "hono";
import { HTTPException } from "hono/http-exception";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { z } from "zod";

import { loggablePath } from "./loggable-path.ts";

interface Problem {
  readonly status: ContentfulStatusCode;
  readonly title: string;
}

/** By stable code; the `type` of an answer is `urn:sluice:problem:<code>`. */
const PROBLEMS = {
  invalid_request: { status: 400, title: "The request is not valid" },
  unauthorized: { status: 401, title: "The key is missing or wrong" },
  forbidden: { status: 403, title: "This is not allowed" },
  not_found: { status: 404, title: "There is no such thing" },
  lease_not_held: { status: 409, title: "Another holder has the trigger, or nobody" },
  still_held: { status: 409, title: "A holder has the trigger, and its lease runs" },
  state_conflict: { status: 409, title: "The trigger's state does not allow this" },
  name_taken: { status: 409, title: "The name is in use" },
  default_taken: { status: 409, title: "There is a default already" },
  in_use: { status: 409, title: "Something else still needs it" },
  not_configured: { status: 409, title: "Something has to be set up first" },
  apply_running: { status: 409, title: "Another request is doing this" },
  plan_changed: { status: 409, title: "The plan is not the one that was seen" },
  precondition_failed: { status: 412, title: "It was changed meanwhile" },
  body_too_large: { status: 413, title: "The body is too large" },
  unsupported_media_type: { status: 415, title: "The body has to be JSON" },
  idempotency_key_reused: { status: 422, title: "The idempotency key belongs to another request" },
  precondition_required: { status: 428, title: "The version that it replaces has to be named" },
  too_many_requests: { status: 429, title: "Too many requests" },
  internal_error: { status: 500, title: "Something went wrong on our side" },
  bitbucket_refused: { status: 502, title: "Bitbucket refused" },
  unavailable: { status: 503, title: "Something that this needs is away" },
} satisfies Record<string, Problem>;

export type ProblemCode = keyof typeof PROBLEMS;

/** Every code, for the documentation. */
export const PROBLEM_CODES: readonly string[] = Object.keys(PROBLEMS);

const RETRY_AFTER_S = "2";

/** A refusal that the sender is told about. `members` are added to the answer. */
export class ProblemError extends AppError {
  readonly problem: ProblemCode;
  readonly members: Readonly<Record<string, unknown>>;

  constructor(problem: ProblemCode, detail: string, members: Readonly<Record<string, unknown>> = {}) {
    super(problem, detail, { retry: "never" });
    this.name = "ProblemError";
    this.problem = problem;
    this.members = members;
  }
}

/** What is wrong with one field. */
export interface FieldError {
  /** Its path within the body or the query: `labels.0`; empty: the whole of it. */
  readonly field: string;
  readonly message: string;
}

/** How many of a request's mistakes are told. */
const MAX_FIELD_ERRORS = 100;
const MAX_DESCRIBED_ERRORS = 10;

/** A refusal for what is in the request's fields; of very many the first hundred are told. */
export function invalidRequest(all: readonly FieldError[]): ProblemError {
  const errors = all.slice(0, MAX_FIELD_ERRORS);
  const described = errors
    .slice(0, MAX_DESCRIBED_ERRORS)
    .map(({ field, message }) => (field === "" ? message : `${field}: ${message}`));
  const more = all.length - described.length;
  const detail = [...described, ...(more > 0 ? [`and ${String(more)} more`] : [])].join("; ");
  return new ProblemError("invalid_request", detail, { errors });
}

/** The answer to an error. What is not the sender's doing is logged. */
export function answerError(error: unknown, c: Context, logger: Logger): Response {
  const { problem, detail, members } = toProblem(error);
  const { status, title } = PROBLEMS[problem];
  const path = loggablePath(c.req.path);
  if (status === 500) logger.error({ err: error, path }, "request.failed");
  if (status === 503) logger.warn({ err: error, path }, "request.unavailable");
  const headers = {
    "content-type": "application/problem+json",
    "cache-control": "no-store",
    ...(status === 503 ? { "retry-after": RETRY_AFTER_S } : {}),
  };
  const body = { type: `urn:sluice:problem:${problem}`, title, status, detail, ...members };
  return c.body(JSON.stringify(body), status, headers);
}

interface Answer {
  readonly problem: ProblemCode;
  readonly detail: string;
  readonly members?: Readonly<Record<string, unknown>>;
}

function toProblem(error: unknown): Answer {
  if (error instanceof ProblemError) {
    return { problem: error.problem, detail: error.message, members: error.members };
  }
  if (error instanceof z.ZodError) {
    return toProblem(invalidRequest(error.issues.flatMap(toFieldErrors)));
  }
  if (error instanceof HTTPException) return toProblemOfHono(error);
  if (isTransientDatabaseError(error)) {
    return { problem: "unavailable", detail: "The database cannot be reached. Ask again." };
  }
  if (error instanceof AppError && error.code === "queue_unavailable") {
    return { problem: "unavailable", detail: "The queue cannot be reached. Ask again." };
  }
  if (error instanceof AppError && error.code === "repositories_busy") {
    return { problem: "unavailable", detail: "Deliveries of the repositories come in. Ask again." };
  }
  return { problem: "internal_error", detail: "It is in the log." };
}

/** What Hono's own steps refuse. */
function toProblemOfHono(error: HTTPException): Answer {
  switch (error.status) {
    case 400:
      return { problem: "invalid_request", detail: "The body is not JSON." };
    case 403:
      return { problem: "forbidden", detail: "The request came from another site." };
    case 415:
      return {
        problem: "unsupported_media_type",
        detail: "Send the body as `Content-Type: application/json`.",
      };
    default:
      return { problem: "internal_error", detail: "It is in the log." };
  }
}

/** `field` is the path within the body, `labels.0`; empty: the body as a whole. */
function toFieldErrors(issue: z.core.$ZodIssue): FieldError[] {
  const at = (...rest: PropertyKey[]) => [...issue.path, ...rest].map(String).join(".");
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => ({ field: at(key), message: "is not known here" }));
  }
  return [{ field: at(), message: issue.message }];
}
