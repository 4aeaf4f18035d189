/** Lists come in pages, by a cursor that says where the last one ended. */
import { z } from "@hono/zod-openapi";

import { ProblemError } from "./problem.ts";

const DEFAULT_LIMIT = 50;
const MAX_LIMIT = 200;
const MAX_CURSOR_LENGTH = 2_000;

/** The query of every list. */
export const pageQuery = z.object({
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(MAX_LIMIT)
    .default(DEFAULT_LIMIT)
    .openapi({ description: "Entries in a page." }),
  cursor: z
    .string()
    .max(MAX_CURSOR_LENGTH)
    .optional()
    .openapi({ description: "`next_cursor` of the page before; left out: the first page." }),
});

/** The answer of every list. */
export function pageOf<Item extends z.ZodType>(item: Item) {
  return z.object({
    items: z.array(item),
    next_cursor: z
      .string()
      .nullable()
      .openapi({ description: "For `cursor` of the next page; null: this is the last." }),
  });
}

/** Where a page ended, as text that is nobody's to read. */
export function writeCursor(position: unknown): string {
  return Buffer.from(JSON.stringify(position)).toString("base64url");
}

/** Where the page before ended; null for the first. @throws ProblemError `invalid_request` for one that is not ours. */
export function readCursor<Position>(
  cursor: string | undefined,
  schema: z.ZodType<Position>,
): Position | null {
  if (cursor === undefined) return null;
  const position = schema.safeParse(parse(Buffer.from(cursor, "base64url").toString("utf8")));
  if (position.success) return position.data;
  throw new ProblemError("invalid_request", "The cursor is not one of this list.", {
    errors: [{ field: "cursor", message: "is not one of this list" }],
  });
}

/**
 * A page out of one row more than it may have: that there is one more is what says that there is another page.
 * `positionOf` gives what the cursor says of the last row.
 */
export function toPage<Row, Item>(
  rows: readonly Row[],
  {
    limit,
    toItem,
    positionOf,
  }: {
    readonly limit: number;
    readonly toItem: (row: Row) => Item;
    readonly positionOf: (row: Row) => unknown;
  },
): { items: Item[]; next_cursor: string | null } {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  return {
    items: shown.map(toItem),
    next_cursor: rows.length > limit && last !== undefined ? writeCursor(positionOf(last)) : null,
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
