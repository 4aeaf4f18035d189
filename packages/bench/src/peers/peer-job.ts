/** One job for each webhook, with the whole webhook in it: what the libraries' guides lead to. */
import type { PeerDelivery } from "./peer-delivery.ts";

/** The name of the peers' queue. */
export const PEER_QUEUE = "webhooks";

/** A webhook as JSON can hold it. */
export type PeerJob = Omit<PeerDelivery, "body"> & { readonly body: string };

export function jobOf({ body, ...facts }: PeerDelivery): PeerJob {
  return { ...facts, body: body.toString("utf8") };
}

export function deliveryOf({ body, ...facts }: PeerJob): PeerDelivery {
  return { ...facts, body: Buffer.from(body) };
}
