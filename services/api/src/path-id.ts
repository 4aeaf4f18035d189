import { z } from "@hono/zod-openapi";

import { ProblemError } from "./problem.ts";

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** The id in a path. What is not a UUID names nothing here, and is not found: `parseId`. */
export const idParams = z.object({
  id: z.string().openapi({ param: { name: "id", in: "path" }, format: "uuid", description: "A UUID." }),
});

/** An id out of a path. @throws ProblemError `not_found`: what is not a UUID names nothing here. */
export function parseId(text: string): string {
  if (!UUID.test(text)) throw new ProblemError("not_found", "Ids are UUIDs, and this is none.");
  return text.toLowerCase();
}
