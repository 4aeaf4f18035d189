/** What can go wrong with an API call, on demand. */
import { errorResponse, goneResponse, plainNotFound, unauthorizedResponse } from "./rest-error.ts";

/** Statuses that a call may be answered with on demand, besides the 429 of `rate_limited`. */
export const FAULT_STATUSES = [400, 401, 403, 404, 410, 500, 502, 503, 504, 555] as const;

export type FaultStatus = (typeof FAULT_STATUSES)[number];

export type RestFault =
  /** 429 as seen in public: text/plain. `Retry-After` and the `X-RateLimit-*` headers only when asked for. */
  | {
      readonly kind: "rate_limited";
      readonly retryAfterSeconds?: number;
      readonly rateLimit?: { readonly limit: number; readonly resource: string; readonly nearLimit: boolean };
    }
  /** 404 is plain text with `form: "text"`, 555 is Bitbucket's own "diffstat took too long". */
  | { readonly kind: "status"; readonly status: FaultStatus; readonly form?: "json" | "text" }
  /** The right answer, late. */
  | { readonly kind: "slow"; readonly delayMs: number }
  /** 200 with JSON of no known shape, JSON that stops half-way, or a web page. */
  | { readonly kind: "wrong_json" }
  | { readonly kind: "cut_json" }
  | { readonly kind: "html" }
  /** The right page, with a `next` that leads to another host. */
  | { readonly kind: "next_elsewhere"; readonly url: string }
  | { readonly kind: "redirect_elsewhere"; readonly url: string }
  /** No answer: the connection is cut. */
  | { readonly kind: "reset" }
  /** What was asked for is done, and then the connection is cut. */
  | { readonly kind: "lost_answer" };

const HTML_PAGE =
  "<!DOCTYPE html><html><head><title>Bitbucket</title></head><body><h1>We'll be back</h1></body></html>";

/** The answer that replaces the real one; null for faults that change the real one. */
export function answerInstead(fault: RestFault): Response | null {
  switch (fault.kind) {
    case "rate_limited":
      return rateLimitedResponse(fault);
    case "status":
      return statusResponse(fault.status, fault.form ?? "json");
    case "wrong_json":
      return textResponse(200, "application/json", '{"type":"surprise","values":{"not":"a list"}}');
    case "cut_json":
      return textResponse(200, "application/json", '{"pagelen": 500, "values": [{"type": "diffst');
    case "html":
      return textResponse(200, "text/html; charset=utf-8", HTML_PAGE);
    case "redirect_elsewhere":
      return new Response(null, { status: 302, headers: { location: fault.url } });
    case "slow":
    case "next_elsewhere":
    case "reset":
    case "lost_answer":
      return null;
  }
}

/** A page with its `next` replaced. */
export async function withNext(response: Response, url: string): Promise<Response> {
  const page: unknown = await response.json();
  const body = typeof page === "object" ? { ...page, next: url } : page;
  return textResponse(response.status, "application/json; charset=utf-8", JSON.stringify(body));
}

/** Does `METHOD /path` fit the pattern? `*` stands for anything: `GET *diffstat*`. */
export function matchesRoute(pattern: string, method: string, path: string): boolean {
  const source = pattern.split("*").map((part) => part.replaceAll(/[.+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${source.join("[^]*")}$`).test(`${method} ${path}`);
}

function rateLimitedResponse(fault: Extract<RestFault, { kind: "rate_limited" }>): Response {
  const response = textResponse(429, "text/plain", "Rate limit for this resource has been exceeded");
  if (fault.retryAfterSeconds !== undefined)
    response.headers.set("retry-after", String(fault.retryAfterSeconds));
  if (fault.rateLimit !== undefined) {
    response.headers.set("x-ratelimit-limit", String(fault.rateLimit.limit));
    response.headers.set("x-ratelimit-resource", fault.rateLimit.resource);
    response.headers.set("x-ratelimit-nearlimit", String(fault.rateLimit.nearLimit));
  }
  return response;
}

function statusResponse(status: FaultStatus, form: "json" | "text"): Response {
  if (status === 401) return unauthorizedResponse("Token is invalid or not supported for this endpoint.");
  if (status === 404 && form === "text") return plainNotFound();
  if (status === 410) return goneResponse();
  if (form === "text") return textResponse(status, "text/plain; charset=utf-8", `${status}`);
  const messages: Partial<Record<FaultStatus, string>> = {
    400: "Bad request",
    403: "Access denied. You must have write or admin access.",
    404: "Changeset not found.",
    555: "The diffstat took too long to generate.",
  };
  return errorResponse(status, messages[status] ?? "Something went wrong.");
}

function textResponse(status: number, contentType: string, body: string): Response {
  return new Response(body, { status, headers: { "content-type": contentType } });
}
