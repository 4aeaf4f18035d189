/** The one error that says: the queue's servers cannot be used now. */
import { AppError } from "@sluice/domain/app-error";

/** `what` names the thing that was not possible, for example "add to the queue deliveries". */
export function queueUnavailable(what: string, cause: unknown): AppError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new AppError("queue_unavailable", `Cannot ${what}: ${reason}`, { cause });
}

/** An AppError as it is, anything else as `queue_unavailable`. */
export function toQueueUnavailable(what: string, error: unknown): AppError {
  return error instanceof AppError ? error : queueUnavailable(what, error);
}
