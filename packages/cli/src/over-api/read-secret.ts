/** Secrets are read from a variable or from standard input: what stands on the command line is seen by everybody. */
import type { CliContext } from "../cli-context.ts";
import { usageInvalid } from "../usage-error.ts";

/** Where a secret is: one of the two. */
export interface SecretOptions {
  readonly tokenVariable?: string;
  readonly tokenStdin: boolean;
}

/** @throws AppError `usage_invalid`: not one of the two, or nothing is there. */
export async function readToken(
  { tokenVariable, tokenStdin }: SecretOptions,
  { environment, readLines }: CliContext,
): Promise<string> {
  if ((tokenVariable !== undefined) === tokenStdin) {
    throw usageInvalid("say where the token is: --token-variable <name> or --token-stdin");
  }
  if (tokenVariable !== undefined) {
    const token = environment[tokenVariable] ?? "";
    if (token !== "") return token;
    throw usageInvalid(`the environment variable ${tokenVariable} is not set`);
  }
  for await (const line of readLines()) return line.trim();
  throw usageInvalid("there is no token on standard input");
}
