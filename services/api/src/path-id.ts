import { ProblemError } from "./problem.ts";

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** An id out of a path. @throws ProblemError `not_found`: what is not a UUID names nothing here. */
export function parseId(text: string): string {
  if (!UUID.test(text)) throw new ProblemError("not_found", "Ids are UUIDs, and this is none.");
  return text.toLowerCase();
}
