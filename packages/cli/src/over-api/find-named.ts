/** Things that a person names, by their name or by their id. */
import { AppError } from "@sluice/domain/app-error";
import { z } from "zod";

import type { ApiClient, Query } from "../api-client.ts";
import { usageInvalid } from "../usage-error.ts";

/** Where to look for a thing. */
export interface NamedResource<Item> {
  readonly path: string;
  /** Without its article. */
  readonly noun: string;
  readonly schema: z.ZodType<Item>;
  /** Whether this entry has that name. */
  readonly isNamed: (item: Item, name: string) => boolean;
  /** Narrows the list in which a name is looked for. */
  readonly query?: Query;
  /** Of several that have one name, how to tell them apart. */
  readonly tellApart?: string;
}

/** @throws ApiError or AppError `not_found`; AppError `usage_invalid` where several have the name. */
export async function findNamed<Item>(
  api: ApiClient,
  reference: string,
  { path, noun, schema, isNamed, query = {}, tellApart = "name one by its id" }: NamedResource<Item>,
): Promise<Item> {
  if (z.guid().safeParse(reference).success) return api.get(`${path}/${reference}`, schema);
  const { items } = await api.list(path, schema, { query, limit: null });
  const [found, ...others] = items.filter((item) => isNamed(item, reference.normalize("NFC")));
  if (found === undefined) {
    throw new AppError("not_found", `there is no ${noun} "${reference}" within your reach`, {
      retry: "never",
    });
  }
  if (others.length > 0) {
    throw usageInvalid(`${String(others.length + 1)} have the name "${reference}": ${tellApart}`);
  }
  return found;
}
