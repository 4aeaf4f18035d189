import { type Command, InvalidArgumentError } from "commander";

import type { RunCommand } from "../cli-context.ts";

/** What the command line says. */
export interface FailedOptions {
  readonly limit: number;
  readonly json: boolean;
}

/** What the command line says. */
export interface RetryOptions {
  readonly all: boolean;
  readonly json: boolean;
}

const HELP = `
Examples:
  $ sluice queue failed
  $ sluice queue failed deliveries --limit 200 --json
  $ sluice queue retry deliveries 41 42
  $ sluice queue retry events --all`;

/** `sluice queue` */
export function addQueueCommand(program: Command, run: RunCommand): void {
  const queue = program.command("queue").description("jobs that have failed").addHelpText("after", HELP);
  queue
    .command("failed")
    .description("list failed jobs, the latest first")
    .argument("[queue]", "deliveries or events; all when left out")
    .option("--limit <count>", "of each queue at most", parseCount, 50)
    .option("--json", "print JSON", false)
    .action((name: string | undefined, options: FailedOptions) =>
      run(async (context) => {
        const { listFailedJobs } = await import("../failed-jobs.ts");
        return listFailedJobs({ name: name ?? null, ...options }, context);
      }),
    );
  queue
    .command("retry")
    .description("put failed jobs back, with all their attempts")
    .argument("<queue>", "deliveries or events")
    .argument("[jobs...]", "their ids")
    .option("--all", "all of them, at most 10 000 at a time", false)
    .option("--json", "print JSON", false)
    .action((name: string, jobs: readonly string[], options: RetryOptions) =>
      run(async (context) => {
        const { retryFailedJobs } = await import("../failed-jobs.ts");
        return retryFailedJobs({ name, jobs, ...options }, context);
      }),
    );
}

function parseCount(text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1 || count > 10_000) {
    throw new InvalidArgumentError("It must be a whole number from 1 to 10000.");
  }
  return count;
}
