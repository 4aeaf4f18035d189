import { saveBranches } from "@sluice/store/branches";
import { insertEvents } from "@sluice/store/events";
import { allAnswered, type Transaction } from "@sluice/store/transaction";

import { placeDeliveries } from "./place-deliveries.ts";
import type { ReadDelivery } from "./read-delivery.ts";
import type { RecordedDeliveries } from "./record-and-decide.ts";

/**
 * Writes deliveries with their events and moves the branches that they moved, without a decision, and commits.
 * @returns as waiting: every event of these deliveries that has no decisions yet, also of those recorded before.
 */
export async function writeDeliveries(
  tx: Transaction,
  deliveries: readonly ReadDelivery[],
): Promise<RecordedDeliveries> {
  const { events, moved, recoveredIds, leftBehind } = await placeDeliveries(tx, deliveries);
  await allAnswered([saveBranches(tx, moved), insertEvents(tx, events, new Set()), tx.commit()]);
  return { decisions: [], waiting: [...leftBehind, ...events], recoveredIds };
}
