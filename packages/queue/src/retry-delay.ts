/** How long a failed job waits before its next attempt. */

/** When a queue tries a failed job again. */
export interface RetryPolicy {
  /** The first run included. */
  readonly attempts: number;
  /** Before the second attempt; doubled before each further one. */
  readonly firstDelayMs: number;
  readonly maxDelayMs: number;
}

/** The share of a delay that chance decides, so that jobs which failed together do not come back together. */
const JITTER = 0.5;

/**
 * Delay before the next attempt, in whole ms, at least 1. `attempt` is the one that failed, 1-based; `random` is in
 * [0, 1). Between half of the exponential delay and all of it, never above `policy.maxDelayMs`.
 */
export function retryDelayMs(attempt: number, policy: RetryPolicy, random: number): number {
  const full = Math.min(policy.firstDelayMs * 2 ** (attempt - 1), policy.maxDelayMs);
  return Math.max(1, Math.round(full * (1 - JITTER + JITTER * random)));
}
