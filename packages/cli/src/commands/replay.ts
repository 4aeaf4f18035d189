import type { Command } from "commander";

import type { RunCommand } from "../cli-context.ts";

/** What the command line says. */
export interface ReplayCommandOptions {
  readonly apply: boolean;
  readonly target?: string;
  readonly by: string;
  readonly json: boolean;
}

const HELP = `
<delivery> is its id, or that of Bitbucket's request (X-Request-UUID), or of an event or a trigger of it.

The bytes that Bitbucket sent are read again, and their events decided again: by this release, against the stacks and
modules as they are now, with Bitbucket asked again. What would change is printed, and written only with --apply. A run
that a scheduler has had is never undone, and none is made twice.

Examples:
  $ sluice replay 5f0d2c8e-…
  $ sluice replay 5f0d2c8e-… --target network
  $ sluice replay 5f0d2c8e-… --apply --by ada`;

/** `sluice replay` */
export function addReplayCommand(program: Command, run: RunCommand): void {
  program
    .command("replay")
    .description("run a stored delivery again through the present rules, and show what would change")
    .argument("<delivery>", "a delivery, or a request, an event or a trigger of it")
    .option("--apply", "write what changes", false)
    .option("--target <name>", "show only what it means for this stack or module")
    .option("--by <name>", "who does it, for the record", "an operator")
    .option("--json", "print JSON", false)
    .addHelpText("after", HELP)
    .action((delivery: string, options: ReplayCommandOptions) =>
      run(async (context) => {
        const { replay } = await import("../replay.ts");
        return replay(delivery, options, context);
      }),
    );
}
