/** Sluice's API, as commands use it. */
import { setTimeout as sleep } from "node:timers/promises";
import { AppError } from "@sluice/domain/app-error";
import { z } from "zod";

import { type ApiAnswer, type ApiRequest, readApiAnswer, sendToApi } from "./api-exchange.ts";
import type { ApiAccess } from "./find-api.ts";

const DEFAULT_RETRY_AFTER_MS = 1_000;
const MAX_RETRY_AFTER_MS = 30_000;
/** The largest page that the API gives. */
const MAX_PAGE = 200;

/** What a query may hold; undefined: left out, a list: the parameter again and again. */
export type Query = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;

/** A request that changes something. */
export type Change = Omit<ApiRequest, "method" | "path"> & {
  readonly method: Exclude<ApiRequest["method"], "GET">;
};

/** Entries of a list, and where to go on; null: that was all. */
export interface Listing<Item> {
  readonly items: readonly Item[];
  readonly nextCursor: string | null;
}

/** Each method throws ApiError for a refusal, AppError `api_unreachable`, `api_answer_unknown`. */
export interface ApiClient {
  /** Asks a second time where the answer is 503. */
  get<Answer>(path: string, schema: z.ZodType<Answer>): Promise<Answer>;
  /** As get, with the version for an `If-Match`. */
  getVersion<Answer>(
    path: string,
    schema: z.ZodType<Answer>,
  ): Promise<{ readonly value: Answer; readonly etag: string }>;
  /** Sends a change, once. */
  change<Answer>(path: string, change: Change, schema: z.ZodType<Answer>): Promise<Answer>;
  /** The first `limit` entries of a list, or all of them: `limit` null. */
  list<Item>(
    path: string,
    schema: z.ZodType<Item>,
    options: { readonly query?: Query; readonly limit: number | null },
  ): Promise<Listing<Item>>;
}

/** A client with one key. */
export function createApiClient(access: ApiAccess): ApiClient {
  const get: ApiClient["get"] = async (path, schema) =>
    readApiAnswer(access, await sendLook(access, path), schema);
  return {
    get,

    async getVersion(path, schema) {
      const answer = await sendLook(access, path);
      const value = readApiAnswer(access, answer, schema);
      const etag = answer.headers.get("etag");
      if (etag !== null) return { value, etag };
      const message = `${access.url} names no version of ${path}: see that no proxy drops ETag`;
      throw new AppError("api_answer_unknown", message, { retry: "never" });
    },

    change: async (path, change, schema) =>
      readApiAnswer(access, await sendToApi(access, { ...change, path }), schema),

    async list(path, schema, { query = {}, limit }) {
      const page = z.object({ items: z.array(schema), next_cursor: z.string().nullable() });
      const most = limit ?? Number.POSITIVE_INFINITY;
      const items: z.output<typeof schema>[] = [];
      let cursor: string | null = null;
      do {
        const wanted = Math.min(most - items.length, MAX_PAGE);
        const given: Query = { ...query, limit: wanted, ...(cursor === null ? {} : { cursor }) };
        const answer: z.output<typeof page> = await get(`${path}?${formatQuery(given)}`, page);
        items.push(...answer.items);
        cursor = answer.next_cursor;
      } while (cursor !== null && items.length < most);
      return { items, nextCursor: cursor };
    },
  };
}

async function sendLook(access: ApiAccess, path: string): Promise<ApiAnswer> {
  const answer = await sendToApi(access, { method: "GET", path });
  if (answer.status !== 503) return answer;
  await sleep(retryAfterMs(answer));
  return sendToApi(access, { method: "GET", path });
}

/** Of what a server asks for, at most half a minute is waited. */
function retryAfterMs({ headers }: ApiAnswer): number {
  const seconds = Number(headers.get("retry-after") ?? Number.NaN);
  return seconds >= 0 ? Math.min(seconds * 1_000, MAX_RETRY_AFTER_MS) : DEFAULT_RETRY_AFTER_MS;
}

function formatQuery(query: Query): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    const values = value === undefined ? [] : Array.isArray(value) ? value : [value];
    for (const each of values) parameters.append(name, String(each));
  }
  return parameters.toString();
}
