import type { HttpBindings } from "@hono/node-server";
import { isJsonContentType, parseDeliveryHeaders } from "@sluice/bitbucket/headers";
import { isSignatureHeader, verifySignature } from "@sluice/bitbucket/signature";
import { AppError } from "@sluice/domain/app-error";
import type { RawDelivery } from "@sluice/queue/delivery-codec";
import { deliveryId } from "@sluice/queue/delivery-id";
import type { Context, Handler } from "hono";
import type { Logger } from "@sluice/runtime/logger";
import type { DeliveryAnswer } from "@sluice/runtime/metrics";

import type { BodyBudget } from "./body-budget.ts";
import type { IntegrationCache } from "./integration-cache.ts";
import { discardBody, readBody } from "./read-body.ts";

export interface WebhookRouteOptions {
  readonly integrations: Pick<IntegrationCache, "find">;
  /** Resolves when the delivery is durable; rejects with AppError `queue_unavailable` or `overloaded`. */
  readonly enqueue: (delivery: RawDelivery) => Promise<void>;
  readonly maxBodyBytes: number;
  /** For the bodies of all requests together. */
  readonly bodyBudget: BodyBudget;
  readonly logger: Logger;
  readonly countAnswer: (status: DeliveryAnswer) => void;
}

interface Answer {
  readonly status: DeliveryAnswer;
  readonly body: Readonly<Record<string, string>>;
  /** What the log says beyond the status. */
  readonly facts?: Readonly<Record<string, unknown>>;
  /** What was not read must not be taken for the next request on this connection. */
  readonly isUnread?: true;
}

/** Bitbucket retries at once or not at all; people who resend by hand can wait this long. */
const RETRY_AFTER_S = "5";
/** Of a slug, in the log. Anybody may ask for one of any length. */
const MAX_SLUG_LOGGED = 64;
/** What slugs are made of (rule 1). What holds anything else may be a secret that was pasted in the slug's place. */
const SLUG = /^[a-z0-9-]*$/;
/** One answer for an unknown slug and for a wrong signature (rule 8). */
const UNAUTHORIZED: Answer = { status: 401, body: { error: "invalid_signature" } };

/**
 * Receives a webhook: size, slug, signature over the raw bytes, headers, queue, 202, in this order (rule 7). Nothing is
 * parsed before it is verified, nothing is kept of what cannot be verified, and 202 means durable.
 */
export function createWebhookRoute(
  options: WebhookRouteOptions,
): Handler<{ Bindings: HttpBindings }, "/webhooks/bitbucket-cloud/:slug"> {
  return async (c) => {
    const startedAt = performance.now();
    const slug = c.req.param("slug");
    const answer = await receive(c, slug, options).catch((error: unknown) => {
      options.countAnswer(500);
      throw error;
    });
    options.countAnswer(answer.status);
    const durationMs = Math.round((performance.now() - startedAt) * 10) / 10;
    const level = answer.status === 202 ? "info" : "warn";
    const facts = {
      slug: SLUG.test(slug) ? slug.slice(0, MAX_SLUG_LOGGED) : "[no slug]",
      status: answer.status,
      ...answer.facts,
      durationMs,
    };
    options.logger[level](facts, "webhook.answered");
    if (answer.status === 503) c.header("Retry-After", RETRY_AFTER_S);
    if (answer.isUnread === true) c.header("Connection", "close");
    return c.json(answer.body, answer.status);
  };
}

type WebhookContext = Context<{ Bindings: HttpBindings }>;

async function receive(c: WebhookContext, slug: string, options: WebhookRouteOptions): Promise<Answer> {
  const { maxBodyBytes, bodyBudget } = options;
  // It cannot be right, whatever the body: nobody without a signature gets memory of ours.
  if (!isSignatureHeader(c.req.header("x-hub-signature"))) return refuseUnsigned(c, slug, options);
  const read = await readBody(c.env.incoming, { maxBytes: maxBodyBytes, budget: bodyBudget });
  if (read.kind !== "read") return refuseUnread(read.kind, maxBodyBytes);
  try {
    return await receiveBody(c, { slug, body: read.body }, options);
  } finally {
    bodyBudget.giveBack(read.body.byteLength);
  }
}

async function refuseUnsigned(
  c: WebhookContext,
  slug: string,
  { integrations, maxBodyBytes }: WebhookRouteOptions,
): Promise<Answer> {
  const end = await discardBody(c.env.incoming, maxBodyBytes);
  if (end !== "discarded") return refuseUnread(end, maxBodyBytes);
  const signed = c.req.header("x-hub-signature") !== undefined;
  return { ...UNAUTHORIZED, facts: { knownSlug: integrations.find(slug).kind === "known", signed } };
}

function refuseUnread(why: "too_large" | "aborted" | "no_room", maxBodyBytes: number): Answer {
  switch (why) {
    case "too_large":
      return {
        status: 413,
        body: { error: "body_too_large", limit_bytes: String(maxBodyBytes) },
        isUnread: true,
      };
    case "aborted":
      return { status: 408, body: { error: "body_incomplete" }, isUnread: true };
    // Not a 4xx: Bitbucket sends again what was answered 5xx, and nothing else (rule 8).
    case "no_room":
      return { status: 503, body: { error: "overloaded" }, isUnread: true };
  }
}

async function receiveBody(
  c: WebhookContext,
  { slug, body }: { readonly slug: string; readonly body: Buffer },
  options: WebhookRouteOptions,
): Promise<Answer> {
  const lookup = options.integrations.find(slug);
  if (lookup.kind === "unavailable") {
    return { status: 503, body: { error: "integrations_unavailable" } };
  }
  const integration = lookup.kind === "known" ? lookup.integration : null;
  const secretVersion = verifySignature({
    body,
    header: c.req.header("x-hub-signature"),
    secrets: integration?.secrets ?? null,
  });
  if (integration === null || secretVersion === null) {
    return { ...UNAUTHORIZED, facts: { knownSlug: integration !== null, signed: true } };
  }

  const headers = readHeaders(c);
  if ("status" in headers) return headers;
  const id = deliveryId(integration.id, headers.requestId);
  const facts = {
    deliveryId: id,
    requestId: headers.requestId,
    eventKey: headers.eventKey,
    attempt: headers.attempt,
    secretVersion,
    bytes: body.byteLength,
  };
  try {
    await options.enqueue({
      id,
      integrationId: integration.id,
      ...headers,
      secretVersion,
      receivedAt: new Date().toISOString(),
      headers: keptHeaders(c),
      body,
    });
  } catch (error) {
    const code = error instanceof AppError ? error.code : "queue_unavailable";
    return { status: 503, body: { error: code }, facts: { ...facts, err: error } };
  }
  return { status: 202, body: { id }, facts };
}

type DeliveryHeaders = Pick<RawDelivery, "eventKey" | "requestId" | "hookId" | "attempt">;

function readHeaders(c: Context): Answer | DeliveryHeaders {
  if (!isJsonContentType(c.req.header("content-type"))) {
    return { status: 415, body: { error: "unsupported_content_type", expected: "application/json" } };
  }
  const parsed = parseDeliveryHeaders((name) => c.req.header(name));
  switch (parsed.kind) {
    case "missing":
      return { status: 400, body: { error: "missing_header", header: parsed.header } };
    case "invalid":
      return {
        status: 400,
        body: { error: "invalid_header", header: parsed.header, because: parsed.because },
      };
    case "ok":
      return {
        eventKey: parsed.eventKey,
        requestId: parsed.requestId,
        hookId: parsed.hookId,
        attempt: parsed.attempt,
      };
  }
}

/** Of the request's headers, those worth keeping beside the body; the signature is not, since it has done its work. */
function keptHeaders(c: Context): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const name of ["user-agent", "content-type", "x-forwarded-for"]) {
    const value = c.req.header(name);
    if (value !== undefined) kept[name] = value.slice(0, 512);
  }
  return kept;
}
