/** A connection that is opened when it is first needed, and again after opening it has failed. */
import { AppError } from "@sluice/domain/app-error";

/** Anything with a lifetime. */
export interface Closable {
  close(): Promise<void>;
}

/** Opens on demand. */
export interface Reopening<T> extends Closable {
  /** The opened thing: the callers of one moment share one attempt. Rejects as `open` did; the next call tries again. */
  get(): Promise<T>;
}

/**
 * BullMQ remembers for good that a connection failed to become ready (PostgresConnection#waitUntilReady and
 * RedisConnection#client keep the rejected promise, 6.7.0), so a queue that was opened while its server was away has to
 * be replaced, not waited for.
 */
export function createReopening<T extends Closable>(open: () => Promise<T>): Reopening<T> {
  let opened: Promise<T> | undefined;
  let isClosed = false;
  return {
    get() {
      if (isClosed) return Promise.reject(new AppError("queue_closed", "The queue has been closed"));
      if (opened === undefined) {
        const attempt = open();
        opened = attempt;
        attempt.catch(() => {
          if (opened === attempt) opened = undefined;
        });
      }
      return opened;
    },
    async close() {
      isClosed = true;
      const last = await opened?.catch(() => undefined);
      opened = undefined;
      await last?.close();
    },
  };
}
