import postgres from "postgres";

/**
 * Whether a failure says nothing about the statement itself: the connection was lost, the server is starting or
 * stopping, or another transaction was in the way. Such work is done again, unchanged.
 */
export function isTransientDatabaseError(error: unknown): boolean {
  if (error instanceof postgres.PostgresError) {
    // https://www.postgresql.org/docs/18/errcodes-appendix.html: connection, resources, operator intervention, and
    // serialization failures and deadlocks.
    return /^(?:08|53|57|40)/.test(error.code);
  }
  if (!(error instanceof Error) || !("code" in error) || typeof error.code !== "string") return false;
  return /^(?:CONNECTION_|CONNECT_|ECONN|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH)/.test(error.code);
}
