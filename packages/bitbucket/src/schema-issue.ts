/** One problem of something that was parsed, as a path and a sentence. */
import type { z } from "zod";

/**
 * The first problem: where, as `push.changes[0].new.target.hash` (empty for the whole), and what. Never the value, which
 * may be personal or secret. `within` is prepended to the path.
 */
export function firstIssue(
  error: z.ZodError,
  within: readonly PropertyKey[] = [],
): { readonly path: string; readonly message: string } {
  const issue = error.issues[0];
  return {
    path: formatPath([...within, ...(issue?.path ?? [])]),
    message: issue?.message ?? "it does not have the expected shape",
  };
}

function formatPath(path: readonly PropertyKey[]): string {
  return path
    .map((key, index) => (typeof key === "number" ? `[${key}]` : `${index === 0 ? "" : "."}${String(key)}`))
    .join("");
}
