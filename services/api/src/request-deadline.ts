import { withDeadline } from "@sluice/queue/deadline";
import type { MiddlewareHandler } from "hono";

import { ProblemError } from "./problem.ts";

/** Above the 5 s in which a connection to Postgres fails, with its reason; below what clients commonly wait. */
const DEADLINE_MS = 10_000;
/**
 * What was given up still waits for Postgres, and is done when that answers again: a claim then hands out triggers to
 * somebody who left, until their lease ends. So many at most.
 */
const MAX_ABANDONED = 20;

/**
 * Answers each request `unavailable` when nothing else did within `deadlineMs` of its last byte, and at once while
 * `maxAbandoned` such requests have still not come to their end.
 */
export function answerInTime({
  deadlineMs = DEADLINE_MS,
  maxAbandoned = MAX_ABANDONED,
}: { readonly deadlineMs?: number; readonly maxAbandoned?: number } = {}): MiddlewareHandler {
  let abandoned = 0;
  return async (c, next) => {
    if (abandoned >= maxAbandoned) throw noAnswer();
    // Kept by Hono for the handler. How long a sender takes for it is the server's to limit.
    await c.req.text();
    const answered = next();
    await withDeadline(answered, deadlineMs, () => {
      abandoned += 1;
      void answered.catch(() => undefined).finally(() => (abandoned -= 1));
      return noAnswer();
    });
  };
}

function noAnswer(): ProblemError {
  return new ProblemError("unavailable", "The database does not answer. Ask again.");
}
