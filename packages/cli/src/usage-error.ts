import { AppError } from "@sluice/domain/app-error";

/** What somebody typed that no command can do; `message` says what to type instead. */
export function usageInvalid(message: string): AppError {
  return new AppError("usage_invalid", message, { retry: "never" });
}
