/** What this package asks of a logger, and how it keeps a dead server from filling the log. */

/** The part of a structured logger (pino's) that is used here: facts as fields, a fixed dotted event as message. */
export interface QueueLogger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** A client reports each of its attempts to reconnect, many a second. */
const REPEAT_INTERVAL_MS = 10_000;

/** Logs a connection's errors: each message when it is new, and then once in ten seconds. */
export function createErrorReporter(logger: QueueLogger | undefined, fields: object): (error: Error) => void {
  let lastMessage = "";
  let lastAt = 0;
  return (err) => {
    const now = Date.now();
    if (err.message === lastMessage && now - lastAt < REPEAT_INTERVAL_MS) return;
    lastMessage = err.message;
    lastAt = now;
    logger?.warn({ ...fields, err }, "queue.connection_error");
  };
}
