import { RUN_RESULTS, type RunResult } from "@sluice/domain/trigger";
import { type Command, Option } from "commander";

import type { RunCommand } from "../cli-context.ts";

/** What the command line says. */
export interface CancelOptions {
  readonly by: string;
  readonly json: boolean;
}

/** What the command line says. */
export interface EndOptions {
  readonly result: RunResult;
  readonly by: string;
  readonly message?: string;
  readonly force: boolean;
  readonly json: boolean;
}

const CANCEL_HELP = `
One that nobody can be working on is canceled at once. For any other, its holder is asked to stop: it is canceled when
the holder says so.

Example:
  $ sluice trigger cancel 019abc12-… --by ada`;

const END_HELP = `
For a run whose holder is gone: look first what it has done. While its lease runs, this is refused.

Examples:
  $ sluice trigger end 019abc12-… --result failed --by ada --message "the runner's disk was full"
  $ sluice trigger end 019abc12-… --result canceled --by ada --force`;

/** `sluice trigger` */
export function addTriggerCommand(program: Command, run: RunCommand): void {
  const trigger = program.command("trigger").description("cancel a trigger, or end one whose holder is gone");
  trigger
    .command("cancel")
    .description("cancel a trigger, or ask its holder to stop")
    .argument("<id>", "the id of the trigger")
    .option("--by <name>", "who says so, for the record", "an operator")
    .option("--json", "print JSON", false)
    .addHelpText("after", CANCEL_HELP)
    .action((id: string, options: CancelOptions) =>
      run(async (context) => {
        const { cancel } = await import("../trigger-interventions.ts");
        return cancel(id, options, context);
      }),
    );
  trigger
    .command("end")
    .description("say how a run ended, in place of its holder")
    .argument("<id>", "the id of the trigger")
    .addOption(new Option("--result <result>", "how").choices(RUN_RESULTS).makeOptionMandatory())
    .requiredOption("--by <name>", "who says so, for the record")
    .option("--message <text>", "what there is to say about it")
    .option("--force", "also while its lease runs, and its holder may be at work", false)
    .option("--json", "print JSON", false)
    .addHelpText("after", END_HELP)
    .action((id: string, options: EndOptions) =>
      run(async (context) => {
        const { end } = await import("../trigger-interventions.ts");
        return end(id, options, context);
      }),
    );
}
