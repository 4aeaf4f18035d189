/** Every answer that is not a success, as application/problem+json (RFC 9457). */
import { AppError } from "@sluice/domain/app-error";
import type { Logger } from "@sluice/runtime/logger";
import { isTransientDatabaseError } from "@sluice/store/database-error";
import type { Context } from "hono";
import { HTTPException } from "hono/http-exception";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { z } from "zod";

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
  body_too_large: { status: 413, title: "The body is too large" },
  unsupported_media_type: { status: 415, title: "The body has to be JSON" },
  internal_error: { status: 500, title: "Something went wrong on our side" },
  unavailable: { status: 503, title: "Something that this needs is away" },
} satisfies Record<string, Problem>;

export type ProblemCode = keyof typeof PROBLEMS;

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

/** The answer to an error. What is not the sender's doing is logged. */
export function answerError(error: unknown, c: Context, logger: Logger): Response {
  const { problem, detail, members } = toProblem(error);
  const { status, title } = PROBLEMS[problem];
  if (status === 500) logger.error({ err: error, path: c.req.path }, "request.failed");
  if (status === 503) logger.warn({ err: error, path: c.req.path }, "request.unavailable");
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
    const errors = error.issues.flatMap(toFieldErrors);
    const detail = errors.map(({ field, message }) => (field === "" ? message : `${field}: ${message}`));
    return { problem: "invalid_request", detail: detail.join("; "), members: { errors } };
  }
  if (error instanceof HTTPException && error.status === 403) {
    return { problem: "forbidden", detail: "The request came from another site." };
  }
  if (isTransientDatabaseError(error)) {
    return { problem: "unavailable", detail: "The database cannot be reached. Ask again." };
  }
  if (error instanceof AppError && error.code === "queue_unavailable") {
    return { problem: "unavailable", detail: "The queue cannot be reached. Ask again." };
  }
  return { problem: "internal_error", detail: "It is in the log." };
}

/** `field` is the path within the body, `labels.0`; empty: the body as a whole. */
function toFieldErrors(issue: z.core.$ZodIssue): { field: string; message: string }[] {
  const at = (...rest: PropertyKey[]) => [...issue.path, ...rest].map(String).join(".");
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => ({ field: at(key), message: "is not known here" }));
  }
  return [{ field: at(), message: issue.message }];
}
