import { SWEEP_HOOK } from "@sluice/domain/branch-push";
import type { RawDelivery } from "@sluice/queue/delivery-codec";
import { deliveryId } from "@sluice/queue/delivery-id";

/** What a sweep found, to be told as Bitbucket would have. */
export interface Finding {
  readonly integrationId: string;
  /** What it says, in a few words: whoever finds the same makes the same delivery. */
  readonly identity: string;
  readonly eventKey: string;
  /** In the shape of that key. */
  readonly body: object;
  /** RFC 3339. */
  readonly foundAt: string;
}

/** The delivery that Bitbucket would have sent, marked as a sweep's. */
export function toSweepDelivery({ integrationId, identity, eventKey, body, foundAt }: Finding): RawDelivery {
  const requestId = `sweep-${identity}`;
  return {
    id: deliveryId(integrationId, requestId),
    integrationId,
    requestId,
    source: "sweep",
    hookId: SWEEP_HOOK,
    eventKey,
    attempt: 1,
    // Nobody signed it; the column has no word for that.
    secretVersion: "current",
    receivedAt: foundAt,
    headers: { "content-type": "application/json", "x-sluice-recovered-by": "sweep" },
    body: Buffer.from(JSON.stringify(body)),
  };
}
