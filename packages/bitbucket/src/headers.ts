/** What the headers of a delivery say. None of them is signed: only the body is (rule 9). */

/** The headers of a delivery, in lower case as Node and Hono look them up. */
const DELIVERY_HEADERS = {
  signature: "x-hub-signature",
  eventKey: "x-event-key",
  requestId: "x-request-uuid",
  hookId: "x-hook-uuid",
  attempt: "x-attempt-number",
  contentType: "content-type",
} as const;

/** Far above the longest known event key (37) and a braced UUID (38). */
const MAX_VALUE_LENGTH = 128;
/** Visible ASCII: no space, no control character. */
const VISIBLE_ASCII = /^[\x21-\x7e]+$/;
const BRACED = /^\{(.*)\}$/;
/** Bitbucket itself stops at 3; a manual resend counts on. */
const ATTEMPT = /^[1-9]\d{0,5}$/;

/** The headers of a delivery, or what is wrong with them: both failures are for the sender to mend. */
export type ParsedDeliveryHeaders =
  | {
      readonly kind: "ok";
      /** As sent, such as `repo:push`; also a key that this version does not know. */
      readonly eventKey: string;
      /** Without braces. With the integration, the identity of the delivery (rule 9). */
      readonly requestId: string;
      /** Without braces; null when not sent, or not readable. */
      readonly hookId: string | null;
      /** From 1. Also 1 when not sent, or not readable: a signed delivery is not refused for it. */
      readonly attempt: number;
    }
  | { readonly kind: "missing"; readonly header: string }
  | { readonly kind: "invalid"; readonly header: string; readonly because: string };

/** Reads the headers of a delivery. `get` answers undefined for a header that was not sent. */
export function parseDeliveryHeaders(get: (name: string) => string | undefined): ParsedDeliveryHeaders {
  const eventKey = readRequired(get, DELIVERY_HEADERS.eventKey);
  if (eventKey.kind !== "value") return eventKey;
  const requestId = readRequired(get, DELIVERY_HEADERS.requestId);
  if (requestId.kind !== "value") return requestId;
  return {
    kind: "ok",
    eventKey: eventKey.value,
    requestId: requestId.value,
    hookId: readOptional(get(DELIVERY_HEADERS.hookId)),
    attempt: readAttempt(get(DELIVERY_HEADERS.attempt)),
  };
}

/**
 * Whether a body is announced as JSON. A charset is not looked at: JSON is UTF-8 (RFC 8259 §8.1), and a body that is
 * not is set aside with its bytes instead of being lost to a 415.
 */
export function isJsonContentType(value: string | undefined): boolean {
  return value?.split(";", 1)[0]?.trim().toLowerCase() === "application/json";
}

type Reading =
  | { readonly kind: "value"; readonly value: string }
  | Exclude<ParsedDeliveryHeaders, { readonly kind: "ok" }>;

function readRequired(get: (name: string) => string | undefined, header: string): Reading {
  const sent = get(header)?.trim();
  if (sent === undefined || sent === "") return { kind: "missing", header };
  if (sent.length > MAX_VALUE_LENGTH) {
    return { kind: "invalid", header, because: `it has more than ${MAX_VALUE_LENGTH} characters` };
  }
  const value = stripBraces(sent);
  if (!VISIBLE_ASCII.test(value)) return { kind: "invalid", header, because: "it is not visible ASCII" };
  return { kind: "value", value };
}

function readOptional(sent: string | undefined): string | null {
  const value = stripBraces(sent?.trim() ?? "");
  return value.length <= MAX_VALUE_LENGTH && VISIBLE_ASCII.test(value) ? value : null;
}

function readAttempt(sent: string | undefined): number {
  return sent !== undefined && ATTEMPT.test(sent.trim()) ? Number(sent) : 1;
}

/** Headers carry bare UUIDs and bodies braced ones; one form makes them comparable. */
function stripBraces(value: string): string {
  return BRACED.exec(value)?.[1] ?? value;
}
