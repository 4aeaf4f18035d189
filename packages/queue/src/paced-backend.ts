/** Two repairs of how a BullMQ worker waits (6.7.0). Each goes when BullMQ does the same by itself. */
import { setTimeout as sleep } from "node:timers/promises";
import type { IQueueBackend } from "bullmq";

/** Between two attempts to fetch a job from a server that refuses. */
const FETCH_PAUSE_MS = 500;
/** The longest sleep of an idle worker, as on Redis. */
const MAX_BLOCK_SECONDS = 10;

/**
 * - Worker#mainLoop fetches again without a pause after every error but ECONNREFUSED, for example while PostgreSQL
 *   starts (57P03) or Redis cannot write its file (MISCONF): one worker then keeps a core busy.
 * - On PostgreSQL an idle worker that knows of a delayed job sleeps until then, up to an hour, and counts on NOTIFY for
 *   every new job. A connection that died without a word brings none, which keepalive notices after minutes.
 */
export function pacedBackend<B extends IQueueBackend>(backend: B): B {
  const fetchJob = backend.moveToActive.bind(backend);
  backend.moveToActive = async (token, name) => {
    try {
      return await fetchJob(token, name);
    } catch (error) {
      await sleep(FETCH_PAUSE_MS);
      throw error;
    }
  };
  return Object.defineProperty(backend, "maximumBlockTimeout", { value: MAX_BLOCK_SECONDS });
}
