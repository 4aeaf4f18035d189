import type { BitbucketClient } from "@sluice/bitbucket/client";
import type { DeliveriesPayload } from "@sluice/queue/delivery-codec";
import type { Producer } from "@sluice/queue/producer";
import type { Logger } from "@sluice/runtime/logger";
import type { Store } from "@sluice/store/client";

/** While webhooks wait in the queue for longer than that, what seems to be missing may be among them. */
export const BACKLOG_MS = 30_000;

/** What every step of a sweep works with. */
export interface SweepOptions {
  readonly store: Store;
  readonly logger: Logger;
  readonly deliveries: Pick<Producer<DeliveriesPayload>, "add">;
  readonly clientOf: (integrationId: string) => Promise<BitbucketClient>;
  /** How long the oldest delivery has been in the queue; null: none is there. */
  readonly deliveryAgeMs: () => Promise<number | null>;
  /** How long a webhook may be on its way. */
  readonly graceMs: number;
}

/** A repository that can be looked at. */
export interface SweptRepository {
  readonly id: string;
  readonly integrationId: string;
  readonly uuid: string;
  readonly fullName: string;
}

/** What a look at some of a repository saw. */
export interface Look {
  /** What it recovered. */
  readonly found: number;
  /** Of how much it is too soon to say whether something is missing. */
  readonly suspected: number;
  /** When that can be said; null: nothing is suspected. */
  readonly lookAgainInMs: number | null;
}

/** A look that is under way. */
export interface RunningLook {
  found(): void;
  suspected(lookAgainInMs: number): void;
  result(): Look;
}

/** Counts what a look sees. */
export function startLook(): RunningLook {
  let found = 0;
  const waits: number[] = [];
  return {
    found: () => void (found += 1),
    suspected: (lookAgainInMs) => void waits.push(lookAgainInMs),
    result: () => ({
      found,
      suspected: waits.length,
      lookAgainInMs: waits.length === 0 ? null : Math.min(...waits),
    }),
  };
}

/** Whether webhooks have waited in the queue for so long that nothing can be said to be missing. */
export async function hasBacklog({ deliveryAgeMs }: Pick<SweepOptions, "deliveryAgeMs">): Promise<boolean> {
  return ((await deliveryAgeMs()) ?? 0) > BACKLOG_MS;
}
