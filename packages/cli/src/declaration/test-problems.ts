/** What the tests of the file format share. */
import type { Environment } from "@sluice/runtime/configuration";

import { parseDeclaration, type Source } from "./parse-declaration.ts";
import { DeclarationError, formatProblems } from "./problem.ts";

/** What `${NAME}` refers to. */
export const ENVIRONMENT = {
  TOKEN: "token-of-the-machine-user",
  SECRET: "a-webhook-secret-of-ours",
  SHORT: "too-short",
  PADDED: "a-webhook-secret-of-ours\n",
};

/** The problems of one file `s.yaml`, as they are shown; none when it is right. */
export function problemsOf(text: string, environment: Environment = ENVIRONMENT): string[] {
  return problemsOfFiles([{ file: "s.yaml", text }], environment);
}

/** The same for several files. */
export function problemsOfFiles(files: readonly Source[], environment: Environment): string[] {
  try {
    parseDeclaration(files, environment);
    return [];
  } catch (error) {
    if (!(error instanceof DeclarationError)) throw error;
    return formatProblems(error.problems).split("\n");
  }
}
