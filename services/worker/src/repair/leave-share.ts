import { AppError } from "@sluice/domain/app-error";
import { findCallBudget } from "@sluice/store/call-budget";
import type { Store } from "@sluice/store/client";

/** Of the calls of an hour, as many are left to events. */
const SHARE_OF_EVENTS = 0.5;

/**
 * To be called before each call that no event waits for. `share`: of the hour's calls, 0 to 1, as many are left to what
 * goes before.
 * @throws AppError `sweep_share_used` when what is left of the hour's calls is for that.
 */
export async function leaveShare(
  store: Store,
  integrationId: string,
  share: number = SHARE_OF_EVENTS,
): Promise<void> {
  const budget = await findCallBudget(store, integrationId);
  if (budget === null || budget.remaining >= budget.perHour * share) return;
  throw new AppError("sweep_share_used", "what is left of the hour's calls is for more urgent work");
}
