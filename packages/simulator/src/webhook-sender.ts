/** Sends webhooks by HTTP as Bitbucket Cloud does, and misbehaves on demand. */
import { createDeliveryQueue, type DeliveryQueueOptions } from "./delivery-queue.ts";
import { createFaultList } from "./fault-list.ts";
import type { Hook } from "./hook.ts";
import type { SeededSource } from "./seeded-source.ts";
import type { Delivery, DeliveryAttempt, WebhookEvent } from "./webhook-delivery.ts";

/** Larger bodies are not sent, without a word (support.atlassian.com, "Troubleshoot webhooks"). */
const MAX_BODY_BYTES = 256 * 1024;

/**
 * What happens to deliveries on their way: `duplicate` sends whole copies with the same request uuid, `lose` sends
 * nothing, `delay` waits first and lets later ones overtake, `hold` keeps them until `release`.
 */
export type DeliveryFault =
  | { readonly kind: "duplicate"; readonly copies?: number }
  | { readonly kind: "lose" }
  | { readonly kind: "delay"; readonly delayMs: number }
  | { readonly kind: "hold" };

export interface DeliveryFaultOptions {
  /** Which deliveries; default: all. */
  readonly match?: (delivery: Delivery) => boolean;
  /** How many of them; default: all until the fault is ended. */
  readonly times?: number;
}

export interface WebhookSenderOptions extends DeliveryQueueOptions {
  readonly source: SeededSource;
  /** What `delay` waits with; default: a timer. */
  readonly sleep?: (delayMs: number) => Promise<void>;
}

/** A delivery that was lost on demand or is too large. */
export interface UnsentDelivery {
  readonly delivery: Delivery;
  readonly reason: "lost" | "too_large";
}

export interface WebhookSender {
  /** Queues the event for each hook that wants it, and returns the deliveries, lost and held ones included. */
  send(event: WebhookEvent, hooks: readonly Hook[]): Delivery[];
  /** Sends a delivery once more, as a duplicate that arrives late. */
  repeat(delivery: Delivery): void;
  /** Makes deliveries go wrong from now on. The newest fault that matches wins. @returns what ends it */
  injectFault(fault: DeliveryFault, options?: DeliveryFaultOptions): () => void;
  /** Deliveries kept back by `hold`, oldest first. */
  readonly held: readonly Delivery[];
  /** Deliveries whose `delay` has not passed yet, oldest first. */
  readonly delayed: readonly Delivery[];
  /** Sends what is held, in the order that `arrange` gives (default: as it came). What it leaves out stays held. */
  release(arrange?: (held: readonly Delivery[]) => readonly Delivery[]): void;
  /** Attempts of one hook (uuid with braces), or of all. */
  history(hookUuid?: string): readonly DeliveryAttempt[];
  readonly unsent: readonly UnsentDelivery[];
  /** Resolves when nothing is on its way. Held deliveries are not waited for, nor, on demand, delayed ones. */
  settled(options?: { readonly exceptDelayed?: boolean }): Promise<void>;
}

/** A sender with nothing to send yet. It holds nothing that must be closed. */
export function createWebhookSender(options: WebhookSenderOptions): WebhookSender {
  const sleep = options.sleep ?? sleepByTimer;
  const queue = createDeliveryQueue(options);
  const faults = createFaultList<DeliveryFault, Delivery>();
  const unsent: UnsentDelivery[] = [];
  const delays = new Map<Delivery, Promise<void>>();
  let held: Delivery[] = [];

  const sendLate = async (delivery: Delivery, delayMs: number): Promise<void> => {
    await sleep(delayMs);
    delays.delete(delivery);
    queue.add(delivery, { isOutOfTurn: true });
  };
  const dispatch = (delivery: Delivery): void => {
    if (delivery.bytes.byteLength > MAX_BODY_BYTES) {
      unsent.push({ delivery, reason: "too_large" });
      return;
    }
    const fault = faults.take(delivery);
    switch (fault?.kind) {
      case undefined:
        queue.add(delivery);
        return;
      case "duplicate":
        for (let copy = 0; copy <= (fault.copies ?? 1); copy += 1) queue.add(delivery);
        return;
      case "lose":
        unsent.push({ delivery, reason: "lost" });
        return;
      case "hold":
        held.push(delivery);
        return;
      case "delay":
        delays.set(delivery, sendLate(delivery, fault.delayMs));
    }
  };

  return {
    send: (event, hooks) => {
      const deliveries = toDeliveries(event, hooks, options.source);
      for (const delivery of deliveries) dispatch(delivery);
      return deliveries;
    },
    repeat: (delivery) => queue.add(delivery),
    injectFault: (fault, { match = () => true, times } = {}) => faults.add(fault, match, times),
    get held() {
      return held;
    },
    get delayed() {
      return [...delays.keys()];
    },
    release: (arrange = (deliveries) => deliveries) => {
      const released = arrange([...held]);
      const isReleased = new Set(released);
      held = held.filter((delivery) => !isReleased.has(delivery));
      for (const delivery of released) queue.add(delivery);
    },
    history: (hookUuid) =>
      queue.attempts.filter((one) => hookUuid === undefined || one.hookUuid === hookUuid),
    unsent,
    settled: async ({ exceptDelayed = false } = {}) => {
      if (exceptDelayed) return queue.settled();
      do {
        await Promise.all(delays.values());
        await queue.settled();
      } while (delays.size > 0);
    },
  };
}

/** One for each active hook that subscribes to the event, all with the same bytes. */
function toDeliveries(event: WebhookEvent, hooks: readonly Hook[], source: SeededSource): Delivery[] {
  const interested = hooks.filter((hook) => hook.active && hook.events.includes(event.eventKey));
  if (interested.length === 0) return [];
  const bytes = new TextEncoder().encode(JSON.stringify(event.body));
  return interested.map((hook) => ({ requestUuid: source.bareUuid(), hook, event, bytes }));
}

function sleepByTimer(delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, delayMs);
  });
}
