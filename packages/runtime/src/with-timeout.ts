/** Puts an end to waiting. */
import { AppError } from "@sluice/domain/app-error";

/**
 * The outcome of `promise` if it comes within `timeoutMs`. What it started is not stopped; its later failure is
 * nobody's. @throws AppError `timed_out`.
 */
export async function withTimeout<Value>(promise: Promise<Value>, timeoutMs: number): Promise<Value> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new AppError("timed_out", `no answer within ${timeoutMs} ms`)),
      timeoutMs,
    );
  });
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
