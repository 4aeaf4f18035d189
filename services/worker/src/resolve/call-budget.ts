import type { CallBudget } from "@sluice/bitbucket/budget";
import { blockCalls, learnCallLimit, takeCall } from "@sluice/store/call-budget";
import type { Store } from "@sluice/store/client";

/** After a 429 that does not say for how long; Bitbucket's usual one does not. */
const DEFAULT_BLOCK_MS = 60_000;

/** The budget of each credential, kept in Postgres, so that all workers share it. */
export function createCallBudget(store: Store): CallBudget {
  return {
    async take(credentialId) {
      const retryAfterMs = await takeCall(store, credentialId);
      return retryAfterMs === 0 ? { granted: true } : { granted: false, retryAfterMs };
    },
    async learn(credentialId, lesson) {
      if (lesson.kind === "limited") {
        await blockCalls(store, credentialId, lesson.retryAfterMs ?? DEFAULT_BLOCK_MS);
      } else {
        await learnCallLimit(store, credentialId, lesson.limitPerHour);
      }
    },
  };
}
