/** Deliveries on their way: posted with Bitbucket's retries, one after the other per hook or all at once. */
import { deliveryHeaders, type Delivery, type DeliveryAttempt } from "./webhook-delivery.ts";

/** One send and up to two more, at once, and only after a 5xx (support.atlassian.com, "Troubleshoot webhooks"). */
const MAX_ATTEMPTS = 3;
/** How long Bitbucket waits for an answer. */
const TIMEOUT_MS = 10_000;

export interface DeliveryQueueOptions {
  /**
   * `in_order` (default): one after the other per hook, each with its retries, so that tests repeat. `concurrent`:
   * at once, as Bitbucket may.
   */
  readonly order?: "in_order" | "concurrent";
  /** How long to wait for an answer. Default: ten seconds, as Bitbucket does. */
  readonly timeoutMs?: number;
}

export interface DeliveryQueue {
  /** Sends it when its turn comes; out of turn, at once. */
  add(delivery: Delivery, options?: { readonly isOutOfTurn?: boolean }): void;
  /** Every attempt so far, in the order in which they ended. */
  readonly attempts: readonly DeliveryAttempt[];
  /** Resolves when nothing is on its way. */
  settled(): Promise<void>;
}

/** A queue with nothing in it. It holds nothing that must be closed. */
export function createDeliveryQueue(options: DeliveryQueueOptions): DeliveryQueue {
  const attempts: DeliveryAttempt[] = [];
  const lastOfHook = new Map<string, Promise<void>>();
  const inFlight = new Set<Promise<void>>();

  const sendWithRetries = async (delivery: Delivery): Promise<void> => {
    for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt += 1) {
      const result = await sendOnce(delivery, attempt, options.timeoutMs ?? TIMEOUT_MS);
      attempts.push(result);
      if (result.status === null || result.status < 500) return;
    }
  };
  const sendAfter = (before: Promise<void>, delivery: Delivery): Promise<void> => {
    const work = before.then(() => sendWithRetries(delivery)).finally(() => inFlight.delete(work));
    inFlight.add(work);
    return work;
  };

  return {
    add: (delivery, { isOutOfTurn = options.order === "concurrent" } = {}) => {
      const before = isOutOfTurn ? undefined : lastOfHook.get(delivery.hook.uuid);
      const work = sendAfter(before ?? Promise.resolve(), delivery);
      if (!isOutOfTurn) lastOfHook.set(delivery.hook.uuid, work);
    },
    attempts,
    settled: async () => {
      while (inFlight.size > 0) await Promise.all(inFlight);
    },
  };
}

async function sendOnce(delivery: Delivery, attempt: number, timeoutMs: number): Promise<DeliveryAttempt> {
  const startedAt = performance.now();
  const describe = (outcome: DeliveryAttempt["outcome"], status: number | null): DeliveryAttempt => ({
    requestUuid: delivery.requestUuid,
    hookUuid: delivery.hook.uuid,
    eventKey: delivery.event.eventKey,
    attempt,
    outcome,
    status,
    durationMs: performance.now() - startedAt,
  });
  try {
    const response = await fetch(delivery.hook.url, {
      method: "POST",
      headers: deliveryHeaders(delivery, attempt),
      body: delivery.bytes,
      redirect: "manual",
      signal: AbortSignal.timeout(timeoutMs),
    });
    // Read to the end, so that the connection can be used again.
    await response.arrayBuffer();
    return describe("answered", response.status);
  } catch (error) {
    // No answer, no retry: the documentation promises one for 5xx only.
    return describe(
      error instanceof Error && error.name === "TimeoutError" ? "timeout" : "unreachable",
      null,
    );
  }
}
