/** What becomes of a job whose handler has thrown. */
import { AppError } from "@sluice/domain/app-error";
import { UnrecoverableError } from "bullmq";

/** `fail` keeps the job in the failed set; `retry` uses up an attempt; `postpone` does not. */
export type JobFate =
  | { readonly kind: "fail" }
  | { readonly kind: "retry" }
  | { readonly kind: "postpone"; readonly afterMs: number };

/** `attempt` is the one that threw, 1-based; `attempts` is how many there are. An unknown error is retried. */
export function decideJobFate(
  error: unknown,
  { attempt, attempts }: { readonly attempt: number; readonly attempts: number },
): JobFate {
  const advice = error instanceof AppError ? error.retry : "backoff";
  if (typeof advice === "object") return { kind: "postpone", afterMs: Math.max(0, advice.afterMs) };
  return advice === "never" || attempt >= attempts ? { kind: "fail" } : { kind: "retry" };
}

/** Of what is stored of an error; the rest is cut. */
const MAX_REASON_LENGTH = 2_000;

/** Why a job failed, as it is stored and shown: the code, where there is one, and the message. */
export function failureReason(error: unknown): string {
  if (error instanceof AppError) return storable(`${error.code}: ${error.message}`);
  return storable(error instanceof Error ? error.message : String(error));
}

/**
 * The error as BullMQ may store it, with its reason for a message. `permanent` keeps it from being retried.
 */
export function storableError(error: unknown, { permanent }: { readonly permanent: boolean }): Error {
  const reason = failureReason(error);
  const stored = permanent ? new UnrecoverableError(reason) : new Error(reason);
  stored.stack = storable(error instanceof Error ? (error.stack ?? reason) : reason);
  return stored;
}

/** PostgreSQL stores neither NUL nor half of a surrogate pair, and would refuse to record the failure. */
function storable(text: string): string {
  return Buffer.from(text.slice(0, MAX_REASON_LENGTH).replaceAll("\0", "\uFFFD")).toString();
}
