import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

/** What the example is run with. */
export interface ExampleScheduler {
  /** Absolute path of the script. */
  readonly script: string;
  /** Where `python3` is looked for. */
  readonly searchPath: string | undefined;
  readonly apiUrl: string;
  readonly key: string;
  readonly print: (text: string) => void;
  readonly signal: AbortSignal;
}

/**
 * Runs the example scheduler until nothing is left to claim, and prints what it prints.
 * @returns false where there is no Python 3.
 */
export function runExampleScheduler(example: ExampleScheduler): Promise<boolean> {
  const { script, searchPath, apiUrl, key, print, signal } = example;
  return new Promise((resolve) => {
    const child = spawn("python3", ["-u", script, "--idle-exit"], {
      env: { PATH: searchPath, SLUICE_URL: apiUrl, SLUICE_KEY: key },
      stdio: ["ignore", "pipe", "pipe"],
      signal,
    });
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on("line", (line) => print(`   ${line}\n`));
    }
    child.on("error", () => resolve(false));
    child.on("close", () => resolve(true));
  });
}
