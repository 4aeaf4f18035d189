/** What the API tells of deliveries and triggers, as the tests of the whole path read it. */
import { setTimeout as sleep } from "node:timers/promises";

import type { TriggerDocument } from "@sluice/domain/trigger-document";

const POLL_MS = 20;
/** A test that waits longer has failed. */
const PATIENCE_MS = 20_000;

/** What the tests read of what the API tells of a delivery (`GET /v1/deliveries/{id}`). */
export interface ToldDelivery {
  readonly event_key: string;
  readonly outcome: string;
  readonly failure: { readonly code: string; readonly path: string; readonly message: string } | null;
  readonly events: readonly {
    readonly id: string;
    readonly action: string | null;
    readonly change: string | null;
    readonly decided_at: string | null;
    readonly decisions: readonly ToldDecision[];
  }[];
}

/** What one event meant for one target. */
export interface ToldDecision {
  readonly target: { readonly name: string } | null;
  readonly run_type: string | null;
  readonly reason: string;
  readonly evidence: Readonly<Record<string, unknown>>;
  readonly sentence: string;
}

/** Reads deliveries and triggers over HTTP. */
export interface ApiReader {
  /** The delivery, by Bitbucket's request id, once it is recorded. @throws Error when that takes too long. */
  recorded(requestId: string): Promise<ToldDelivery>;
  /** The same, once each of its events is decided. */
  decided(requestId: string): Promise<ToldDelivery>;
  trigger(id: string): Promise<TriggerDocument>;
}

/** Reads an API that has this key. */
export function createApiReader(apiUrl: string, key: string): ApiReader {
  const get = (path: string): Promise<Response> =>
    fetch(`${apiUrl}/v1${path}`, { headers: { authorization: `Bearer ${key}` } });
  const waitFor = async (
    requestId: string,
    isThere: (told: ToldDelivery) => boolean,
  ): Promise<ToldDelivery> => {
    const deadline = Date.now() + PATIENCE_MS;
    while (Date.now() < deadline) {
      const response = await get(`/deliveries/${requestId}`);
      // Its shape is the API's, and what a test reads of it fails when it is not.
      const told: ToldDelivery = JSON.parse(await response.text());
      if (response.ok && isThere(told)) return told;
      await sleep(POLL_MS);
    }
    throw new Error(`nothing became of the delivery ${requestId} in ${String(PATIENCE_MS)} ms`);
  };
  return {
    recorded: (requestId) => waitFor(requestId, () => true),
    decided: (requestId) =>
      waitFor(requestId, ({ events }) => events.every((event) => event.decided_at !== null)),
    async trigger(id) {
      const response = await get(`/triggers/${id}`);
      // Its shape is docs/schemas/trigger-1.json, which the API's own tests hold it to.
      const document: TriggerDocument = JSON.parse(await response.text());
      return document;
    },
  };
}

/** The reason for each target of a delivery's one event, with the kind of run; what is for no target is under `*`. */
export function decisionsIn(delivery: ToldDelivery | undefined): Readonly<Record<string, string>> {
  const [event, ...others] = delivery?.events ?? [];
  if (event === undefined || others.length > 0) throw new Error("the delivery has not one event");
  return Object.fromEntries(
    event.decisions.map(({ target, reason, run_type: runType }) => [
      target?.name ?? "*",
      reason === "triggered" ? `${runType ?? ""} run` : reason,
    ]),
  );
}

/** The decision on a target of a delivery's first event. */
export function decisionOn(delivery: ToldDelivery | undefined, target: string): ToldDecision | undefined {
  return delivery?.events[0]?.decisions.find((decision) => decision.target?.name === target);
}
