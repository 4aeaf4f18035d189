import postgres from "postgres";

/**
 * Whether a failure says nothing about the statement itself, so that the same work, unchanged, may succeed later: the
 * connection was lost, the server is starting, stopping or read-only, the schema is not migrated, the role may not log
 * in, another transaction was in the way. What a statement asks for can only be wrong by its data (classes 22 and 23),
 * by its size (54), or because a function of the database says so (P0).
 * https://www.postgresql.org/docs/18/errcodes-appendix.html
 */
export function isTransientDatabaseError(error: unknown): boolean {
  if (error instanceof postgres.PostgresError) return !/^(?:22|23|54|P0)/.test(error.code);
  if (!(error instanceof Error) || !("code" in error) || typeof error.code !== "string") return false;
  return /^(?:CONNECTION_|CONNECT_|ECONN|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH)/.test(
    error.code,
  );
}
