/** Lists that come in pages. */
import { z } from "zod";

import { parseJson, parseValue } from "./answer-json.ts";
import { BitbucketError } from "./bitbucket-error.ts";
import type { Endpoint } from "./endpoint.ts";
import type { HttpAnswer } from "./http-request.ts";
import type { Transport } from "./transport.ts";

/** Ten times what any list of ours should take; each page is one of a thousand calls an hour. */
const MAX_PAGES = 100;

/** `next` is an address of its own, to be followed as it is; absent, null or empty on the last page. */
const pageSchema = z.object({
  values: z.array(z.unknown()),
  next: z.string().nullish(),
  /** Of the whole list; not always sent, and of no use where it is no number. */
  size: z.number().nullish().catch(null),
});

/**
 * Every item of a list, all pages. `first` is the answer to `url` where it was already gotten. `isDifference`: the list is
 * of what differs, and nothing of it may be missing; others lose an item now and then, as people close what they opened.
 * @throws BitbucketError the transport's, the status's, `bitbucket_invalid_response`, `bitbucket_redirect_refused` for
 * a `next` that leads elsewhere, `bitbucket_too_many_pages` for more than 100, or for a `next` that was there before,
 * `bitbucket_list_changed` for a difference that became shorter on the way.
 */
export async function listItems<T>(input: {
  readonly transport: Transport;
  readonly endpoint: Endpoint;
  readonly url: URL;
  readonly itemSchema: z.ZodType<T>;
  readonly first?: HttpAnswer;
  readonly isDifference?: boolean;
}): Promise<T[]> {
  const { transport, endpoint, itemSchema, isDifference = false } = input;
  const items: T[] = [];
  const seen = new Set<string>();
  let url = input.url;
  let answer = input.first ?? (await transport.get(endpoint, url));
  let size = 0;
  for (;;) {
    seen.add(url.href);
    const page = parseValue(pageSchema, parseJson(transport, endpoint, url, answer), url);
    if (isDifference && (page.size ?? size) < size) throw listChanged(input.url);
    size = page.size ?? size;
    for (const [index, value] of page.values.entries()) {
      items.push(parseValue(itemSchema, value, url, ["values", index]));
    }
    if (page.next === undefined || page.next === null || page.next === "") return items;
    if (seen.size >= MAX_PAGES) throw tooManyPages(input.url, `it has more than ${MAX_PAGES} pages`);
    url = transport.follow(url, page.next);
    if (seen.has(url.href)) throw tooManyPages(input.url, "its pages lead in a circle");
    answer = await transport.get(endpoint, url);
  }
}

function tooManyPages(url: URL, because: string): BitbucketError {
  return new BitbucketError(
    "bitbucket_too_many_pages",
    `the list of GET ${url.pathname} was not read to its end: ${because}`,
    { retry: "never" },
  );
}

function listChanged(url: URL): BitbucketError {
  return new BitbucketError(
    "bitbucket_list_changed",
    `the list of GET ${url.pathname} became shorter while its pages were read: what moved up was not seen`,
    { retry: "backoff" },
  );
}
