/** The one error of the embedded Postgres: a code to branch on and a line that says what to do. */

/** Why the embedded Postgres could not be used. Stable: callers and documentation refer to these words. */
export type EmbeddedPostgresErrorCode =
  | "platform_unsupported"
  | "binaries_missing"
  | "binaries_unusable"
  | "data_directory_in_use"
  | "data_directory_unreachable"
  | "data_directory_unwritable"
  | "data_directory_foreign"
  | "data_directory_other_version"
  | "port_in_use"
  | "start_failed"
  | "stop_failed";

/** Thrown by everything in this package that concerns Postgres. `message` is one line, fit for a terminal. */
export class EmbeddedPostgresError extends Error {
  override readonly name = "EmbeddedPostgresError";
  readonly code: EmbeddedPostgresErrorCode;

  constructor(code: EmbeddedPostgresErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
