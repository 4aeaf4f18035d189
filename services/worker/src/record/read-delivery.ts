import { normaliseDelivery } from "@sluice/bitbucket/normalise";
import type { Event } from "@sluice/domain/event";
import type { RawDelivery } from "@sluice/queue/delivery-codec";
import type { DeliveryFailure } from "@sluice/store/deliveries";
import { compressBody, type CompressedBody } from "@sluice/store/delivery-bodies";

/** A delivery with what it says, or why nobody can tell. */
export interface ReadDelivery {
  readonly raw: RawDelivery;
  /** Compressed here and not in the transaction, so that it is done while the transaction before is under way. */
  readonly body: CompressedBody;
  readonly events: readonly Event[];
  readonly failure: DeliveryFailure | null;
}

/** Never throws: a body that trips over a mistake of ours is a failed delivery, kept for when it is mended. */
export function readDelivery(raw: RawDelivery): ReadDelivery {
  const delivery = { raw, body: compressBody(raw.body) };
  try {
    const result = normaliseDelivery({ eventKey: raw.eventKey, body: raw.body });
    if (result.kind === "events") return { ...delivery, events: result.events, failure: null };
    const { code, path, message } = result;
    return { ...delivery, events: [], failure: { code, path, message } };
  } catch (error) {
    const message = error instanceof Error ? error.message : "unknown error";
    return { ...delivery, events: [], failure: { code: "internal_error", path: "", message } };
  }
}
