import type { Store } from "@sluice/store/client";
import { isTransientDatabaseError } from "@sluice/store/database-error";
import type { DeliveryFailure } from "@sluice/store/deliveries";
import { withTransaction } from "@sluice/store/transaction";
import type { Logger } from "@sluice/runtime/logger";

import type { ReadDelivery } from "./read-delivery.ts";
import { writeDeliveries } from "./write-deliveries.ts";

/**
 * Keeps a delivery whose events the database refuses as a failed one: its bytes, and why.
 * @returns whether even that was refused.
 * @throws a transient error, after which the same may be tried again.
 */
export async function setAside(
  delivery: ReadDelivery,
  cause: unknown,
  options: { readonly store: Store; readonly logger: Logger },
): Promise<"kept" | "refused"> {
  const { id: deliveryId, requestId, eventKey } = delivery.raw;
  options.logger.error({ err: cause, deliveryId, requestId, eventKey }, "delivery.set_aside");
  const message = cause instanceof Error ? cause.message : "unknown error";
  const failure: DeliveryFailure = { code: "not_recordable", path: "", message };
  try {
    await withTransaction(options.store, (tx) =>
      writeDeliveries(tx, [{ ...delivery, events: [], failure: delivery.failure ?? failure }]),
    );
    return "kept";
  } catch (error) {
    if (isTransientDatabaseError(error)) throw error;
    options.logger.error({ err: error, deliveryId, requestId, eventKey }, "delivery.refused");
    return "refused";
  }
}
