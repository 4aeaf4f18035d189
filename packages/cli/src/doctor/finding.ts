import { describeError } from "@sluice/runtime/redaction";

import { toOneLine } from "../one-line.ts";

/** What was found out about one thing. */
export interface Finding {
  /** What was looked at; stable, for programs. */
  readonly check: string;
  readonly level: "ok" | "warn" | "fail";
  readonly message: string;
  /** What to do; null: nothing. */
  readonly remedy: string | null;
}

/** All is well. */
export function ok(check: string, message: string): Finding {
  return { check, level: "ok", message, remedy: null };
}

/** It works, and may not for long or not always. */
export function warn(check: string, message: string, remedy: string): Finding {
  return { check, level: "warn", message, remedy };
}

/** It does not work. */
export function fail(check: string, message: string, remedy: string): Finding {
  return { check, level: "fail", message, remedy };
}

/** What `look` finds; that it cannot look is a failure. */
export async function lookOrFail(
  check: string,
  remedy: string,
  look: () => Promise<readonly Finding[]>,
): Promise<readonly Finding[]> {
  try {
    return await look();
  } catch (error) {
    return [fail(check, toOneLine(describeError(error)), remedy)];
  }
}

/** Names, the first few of very many. */
export function nameSome(names: readonly string[]): string {
  const more = names.length - MAX_NAMED;
  const shown = names.slice(0, MAX_NAMED).join(", ");
  return more > 0 ? `${shown} and ${String(more)} more` : shown;
}

const MAX_NAMED = 5;
