/** One webhook on its way to one hook, and what became of it. */
import { createHmac } from "node:crypto";
import type { Hook } from "./hook.ts";
import type { JsonObject } from "./json.ts";

/** What Bitbucket would tell every hook that subscribes to `eventKey`. */
export interface WebhookEvent {
  readonly eventKey: string;
  /** The repository, or its workspace, whose hooks get it; with braces. */
  readonly repositoryUuid: string;
  readonly body: JsonObject;
}

/** An event for one hook. The same request uuid goes with all of its attempts. */
export interface Delivery {
  readonly requestUuid: string;
  readonly hook: Hook;
  readonly event: WebhookEvent;
  /** The bytes that are signed and sent. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** One attempt, in the order in which they ended. */
export interface DeliveryAttempt {
  readonly requestUuid: string;
  readonly hookUuid: string;
  readonly eventKey: string;
  /** 1 to 3. */
  readonly attempt: number;
  readonly outcome: "answered" | "timeout" | "unreachable";
  /** null without an answer. */
  readonly status: number | null;
  readonly durationMs: number;
}

/** Headers of an attempt. Header values carry uuids without braces; no secret, no signature header. */
export function deliveryHeaders(delivery: Delivery, attempt: number): Record<string, string> {
  const { hook, event, bytes } = delivery;
  return {
    "User-Agent": "Bitbucket-Webhooks/2.0",
    "Content-Type": "application/json",
    "X-Event-Key": event.eventKey,
    "X-Hook-UUID": hook.uuid.replaceAll(/[{}]/g, ""),
    "X-Request-UUID": delivery.requestUuid,
    "X-Attempt-Number": String(attempt),
    ...(hook.secret === null ? {} : { "X-Hub-Signature": signBody(hook.secret, bytes) }),
  };
}

/** `sha256=` and the HMAC over the bytes in lower case hex, the secret as UTF-8. */
function signBody(secret: string, bytes: Uint8Array): string {
  return `sha256=${createHmac("sha256", secret).update(bytes).digest("hex")}`;
}
