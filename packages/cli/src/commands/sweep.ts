import type { Command } from "commander";

import type { RunCommand } from "../cli-context.ts";

/** What the command line says. */
export interface SweepOptions {
  readonly repository?: string;
  readonly status: boolean;
  readonly json: boolean;
}

const HELP = `
A worker compares tracked branches and open pull requests with Bitbucket's within seconds. One that Bitbucket has elsewhere
is looked at again after SWEEP_GRACE_SECONDS, because its webhook may be on the way; only then what was missed is put
through, marked as recovered by sweep.

Examples:
  $ sluice sweep
  $ sluice sweep --repository acme/infra
  $ sluice sweep --status`;

/** `sluice sweep` */
export function addSweepCommand(program: Command, run: RunCommand): void {
  program
    .command("sweep")
    .description("look for pushes and pull requests that Bitbucket never told of")
    .option("--repository <name>", "of this one only: workspace/slug")
    .option("--status", "only show what the last sweeps found", false)
    .option("--json", "print JSON", false)
    .addHelpText("after", HELP)
    .action((options: SweepOptions) =>
      run(async (context) => {
        const { sweep } = await import("../sweep.ts");
        return sweep(options, context);
      }),
    );
}
