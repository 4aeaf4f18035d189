/** What was wrong with a request's body, the way Bitbucket lists it. */
import type { ZodError } from "zod";

/** Field → messages; a problem of the whole body is under `__all__`. */
export function listFieldErrors(error: ZodError): Record<string, string[]> {
  const fields: Record<string, string[]> = {};
  for (const issue of error.issues) {
    const field = issue.path.length === 0 ? "__all__" : issue.path.join(".");
    (fields[field] ??= []).push(issue.message);
  }
  return fields;
}
