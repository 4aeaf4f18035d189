/** What the queries of lists are made of, besides `pages.ts`. */
import { z } from "@hono/zod-openapi";

/** Where a page ended, of a list that goes by ids. */
export const idCursor = z.object({ id: z.guid() });

/** A time with its offset, 1970 or later. */
export function instant(description: string) {
  return (
    z.iso
      .datetime({ offset: true })
      // Postgres reads no fraction that is much longer.
      .max(40)
      // What is no time at all is told above.
      .refine((time) => !(Date.parse(time) < 0), { error: "is before 1970" })
      .optional()
      .openapi({ description, example: "2026-11-24T09:00:00Z" })
  );
}

/** A commit by 7 to 40 of its digits, in lower case. */
export function commitPrefix(description: string) {
  return z
    .string()
    .regex(/^[0-9a-fA-F]{7,40}$/, { error: "is not 7 to 40 hexadecimal digits" })
    .toLowerCase()
    .optional()
    .openapi({ description, example: "3f786850e387" });
}

/** One of these words or several, each as a parameter of its own: `state=queued&state=claimed`. */
export function severalOf<const Words extends readonly string[]>(words: Words, description: string) {
  return z
    .preprocess(
      (given) => (given === undefined || Array.isArray(given) ? given : [given]),
      z.array(z.enum(words)).max(words.length).optional(),
    )
    .openapi({ description, type: "array", items: { type: "string", enum: [...words] } });
}

/** `true` or `false`. Default: false. */
export function flag(description: string) {
  return z
    .enum(["true", "false"])
    .default("false")
    .transform((word) => word === "true")
    .openapi({ description, type: "boolean" });
}
