/** What a person is told when a command fails, and what the shell is. */
import { AppError } from "@sluice/domain/app-error";
import { ConfigurationError, type Environment } from "@sluice/runtime/configuration";
import { describeError, redactText } from "@sluice/runtime/redaction";

import { ApiError } from "./api-error.ts";
import { EXIT_CODES, type ExitCode } from "./cli-context.ts";

/** Mistakes of whoever wrote the command or the file: to run it again changes nothing. */
const INVALID_CODES: ReadonlySet<string> = new Set([
  "declaration_invalid",
  "usage_invalid",
  "file_unreadable",
]);

/** One clear line, `error code: message`; the stack too where `LOG_LEVEL` is debug or trace. No secrets. */
export function describeFailure(error: unknown, environment: Environment): string {
  const line = `error ${codeOf(error)}: ${describeError(error)}\n`;
  const isDebugging = ["debug", "trace"].includes(environment["LOG_LEVEL"] ?? "");
  if (!isDebugging || !(error instanceof Error) || error.stack === undefined) return line;
  return `${line}${redactText(error.stack)}\n`;
}

/** The exit code that a failure gives. */
export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof ConfigurationError) return EXIT_CODES.misconfigured;
  if (error instanceof ApiError && [401, 403].includes(error.status)) return EXIT_CODES.refused;
  if (codeOf(error) === "not_found") return EXIT_CODES.notFound;
  return INVALID_CODES.has(codeOf(error)) ? EXIT_CODES.invalid : EXIT_CODES.failed;
}

function codeOf(error: unknown): string {
  if (error instanceof AppError) return error.code;
  const code: unknown = error instanceof Error && "code" in error ? error.code : null;
  return typeof code === "string" ? code.toLowerCase() : "unexpected";
}
