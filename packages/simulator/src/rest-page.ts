/** Pages of the API: `{values, pagelen, size, page, next?}`, where `next` is to be followed and not understood. */
import type { Json, JsonObject } from "./json.ts";
import { errorResponse, jsonResponse } from "./rest-error.ts";

export interface PageLimits {
  readonly defaultPagelen: number;
  readonly maxPagelen: number;
}

/** Limits of every list that documents no others. */
export const USUAL_LIMITS: PageLimits = { defaultPagelen: 10, maxPagelen: 100 };

/** The page that `url` asks for. 400 for a page or a length that cannot be. `status` is for the 202 of an index. */
export function pageResponse<Value>(
  url: URL,
  values: readonly Value[],
  options: PageLimits & { readonly toJson: (value: Value) => Json; readonly status?: number },
): Response {
  const pagelen = Number(url.searchParams.get("pagelen") ?? options.defaultPagelen);
  if (!Number.isInteger(pagelen) || pagelen < 1 || pagelen > options.maxPagelen) {
    return errorResponse(400, "Invalid pagelen");
  }
  const start = readStart(url.searchParams.get("page"), pagelen);
  if (start === null) return errorResponse(400, "Invalid page");

  const body: JsonObject = {
    values: values.slice(start, start + pagelen).map(options.toJson),
    pagelen,
    size: values.length,
    page: Math.floor(start / pagelen) + 1,
    ...(start + pagelen < values.length ? { next: nextUrl(url, start + pagelen) } : {}),
  };
  return jsonResponse(body, options.status ?? 200);
}

/** A number as people write it, or what `next` carries. */
function readStart(page: string | null, pagelen: number): number | null {
  if (page === null) return 0;
  if (/^[1-9]\d*$/.test(page)) return (Number(page) - 1) * pagelen;
  const token = /^from (\d+)$/.exec(Buffer.from(page, "base64url").toString("utf8"));
  return token === null ? null : Number(token[1]);
}

/** On the host that was asked, so that a client which pins the host can follow it. */
function nextUrl(url: URL, start: number): string {
  const next = new URL(url);
  next.searchParams.set("page", Buffer.from(`from ${start}`).toString("base64url"));
  return next.href;
}
