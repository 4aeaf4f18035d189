/** Webhooks of pushes, signed and sent one by one, so that a test holds the answer to each. */
import { randomUUID } from "node:crypto";

import { signBody } from "@sluice/bitbucket/signature";
import type { PushResult, Repository } from "@sluice/simulator/repository";
import type { WebhookEvent } from "@sluice/simulator/webhook-delivery";

/** "Within two seconds" is what is promised; the rest is for a busy machine to notice it. */
const ANSWER_LIMIT_MS = 4_000;

/** One delivery of any event, the same bytes and the same `X-Request-UUID` however often it is sent. */
export interface WebhookDelivery {
  readonly requestId: string;
  readonly eventKey: string;
  readonly body: Buffer;
}

/** One delivery of `repo:push`. */
export interface PushDelivery extends WebhookDelivery {
  /** `workspace/slug`. */
  readonly repository: string;
  /** The branches that moved, and where to. */
  readonly changes: readonly { readonly branch: string; readonly sha: string }[];
}

/** What a sender learns. `status` null: the connection was refused, or broke before there was an answer. */
export interface Answer {
  readonly status: number | null;
  readonly retryAfter: string | null;
}

/** Pushes one new commit to each of the branches, in one push, and returns the webhook that Bitbucket has for it. */
export function pushTo(repository: Repository, ...branches: readonly string[]): PushDelivery {
  const files = () => ({ [`app/${randomUUID()}.tf`]: "1" });
  return toDelivery(repository, repository.pushMany(branches.map((branch) => ({ branch, files: files() }))));
}

function toDelivery(repository: Repository, { webhooks, changes }: PushResult): PushDelivery {
  const [webhook] = webhooks;
  if (webhook === undefined) throw new Error("Bitbucket tells every push");
  return {
    ...deliveryOf(webhook),
    repository: repository.fullName,
    changes: changes.map(({ name, new: now }) => ({ branch: name, sha: now?.commit.hash ?? "" })),
  };
}

/** A webhook as Bitbucket delivers it. */
export function deliveryOf({ eventKey, body }: WebhookEvent): WebhookDelivery {
  return { requestId: randomUUID(), eventKey, body: Buffer.from(JSON.stringify(body)) };
}

/** Where an ingress takes the deliveries of one integration, and the secret that signs them. */
export interface Endpoint {
  readonly url: string;
  readonly secret: string;
}

/** Sends a delivery once. @throws TimeoutError when there is no answer within the limit. */
export function sendWebhook(
  endpoint: Endpoint,
  { requestId, eventKey, body }: WebhookDelivery,
): Promise<Answer> {
  return post(endpoint, body, webhookHeaders(requestId, eventKey));
}

/** Whether an ingress knows an integration, without leaving anything: 400 (no event key) = it does, 401 = it does not. */
export function probe(endpoint: Endpoint): Promise<Answer> {
  return post(endpoint, Buffer.from("{}"), {});
}

export function webhookHeaders(requestId: string, eventKey: string): Readonly<Record<string, string>> {
  return { "X-Event-Key": eventKey, "X-Request-UUID": requestId, "X-Attempt-Number": "1" };
}

async function post(
  { url, secret }: Endpoint,
  body: Buffer,
  headers: Readonly<Record<string, string>>,
): Promise<Answer> {
  try {
    const response = await fetch(url, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Hub-Signature": signBody(body, secret), ...headers },
      body: new Uint8Array(body),
      signal: AbortSignal.timeout(ANSWER_LIMIT_MS),
    });
    await response.arrayBuffer();
    return { status: response.status, retryAfter: response.headers.get("retry-after") };
  } catch (error) {
    if (error instanceof Error && error.name === "TimeoutError") throw error;
    return { status: null, retryAfter: null };
  }
}
