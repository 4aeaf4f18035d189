import type { CliContext } from "../cli-context.ts";
import type { AgreeOptions } from "./api-options.ts";

/** Whether to go on: told so by `--yes`, or by the person who is asked. Nobody to ask: no. */
export async function isAgreed(
  question: string,
  { yes, json }: Pick<AgreeOptions, "yes" | "json">,
  { isInteractive, confirm, report }: CliContext,
): Promise<boolean> {
  if (yes) return true;
  if (isInteractive && !json) return confirm(`${question} [y/N] `);
  report("Nothing was done: there is nobody to ask. Run it with --yes.\n");
  return false;
}
