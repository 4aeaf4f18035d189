/** A verified webhook, as the peers pass it on. */
import { deliveryId } from "@sluice/queue/delivery-id";
import { normaliseDelivery } from "@sluice/bitbucket/normalise";
import { decide, type Decision } from "@sluice/domain/decide";
import type { PushEvent } from "@sluice/domain/event";
import type { Target } from "@sluice/domain/target";

/** What a peer keeps of a webhook. */
export interface PeerDelivery {
  readonly integrationId: string;
  readonly requestId: string;
  readonly hookId: string | null;
  readonly eventKey: string;
  readonly attempt: number;
  /** ISO 8601. */
  readonly receivedAt: string;
  readonly body: Buffer;
}

/** A webhook that was read: its id and its pushes. */
export interface ReadWebhook {
  readonly id: string;
  readonly repositoryUuid: string;
  readonly pushes: readonly PushEvent[];
}

/** @throws Error for a body that is not a push: this benchmark sends no others. */
export function readWebhook(delivery: PeerDelivery): ReadWebhook {
  const result = normaliseDelivery(delivery);
  const events = result.kind === "events" ? result.events : [];
  const pushes = events.filter((event) => event.kind === "push");
  const [first] = pushes;
  if (first === undefined) throw new Error("a peer was given something that is not a push");
  return {
    id: deliveryId(delivery.integrationId, delivery.requestId),
    repositoryUuid: first.repository.uuid,
    pushes,
  };
}

/** A decision that makes a trigger, which is what every push of the benchmark does. */
export type TriggerDecision = Extract<Decision, { readonly outcome: "trigger" }>;

/** The decision of our domain, without asking Bitbucket. @throws Error when it is not to run */
export function decideToRun(event: PushEvent, target: Target): TriggerDecision {
  const decision = decide(event, target, { files: null, pullRequest: null });
  if (decision.outcome !== "trigger")
    throw new Error(`a push of the benchmark was decided: ${decision.reason}`);
  return decision;
}

/** What a trigger says about changed files when it was decided without them: as ours writes it. */
export const CHANGES_NOT_ASKED_FOR = {
  known: false,
  matched: [],
  total: 0,
  because: "the target has no project root",
};

/** What an event keeps beside its columns: as ours writes it. */
export function factsOf({ commit, actor }: PushEvent): Record<string, unknown> {
  return { ...(commit === null ? {} : { commit }), ...(actor === null ? {} : { actor }) };
}
