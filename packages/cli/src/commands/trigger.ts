import { RUN_RESULTS, type RunResult, TRIGGER_STATES } from "@sluice/domain/trigger";
import { type Command, Option } from "commander";

import type { RunCommand } from "../cli-context.ts";
import {
  type ApiOptions,
  type ListOptions,
  withApiOptions,
  withListOptions,
} from "../over-api/api-options.ts";
import type { ListTriggersOptions } from "../over-api/triggers.ts";

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

const HELP = `
Examples:
  $ sluice trigger list --state queued blocked
  $ sluice trigger list --stack network --commit 1c2d3e4
  $ sluice trigger history 019abc12-…`;

/** `sluice trigger` */
export function addTriggerCommand(program: Command, run: RunCommand): void {
  const trigger = program
    .command("trigger")
    .description("triggers: what is to run, and intervening in it")
    .addHelpText("after", HELP);
  addLooks(trigger, run);
  addInterventions(trigger, run);
}

function addLooks(trigger: Command, run: RunCommand): void {
  const load = () => import("../over-api/triggers.ts");
  withListOptions(
    trigger
      .command("list")
      .description("list triggers, the newest first")
      .addOption(new Option("--state <state...>", "in this state, or one of these").choices(TRIGGER_STATES))
      .addOption(new Option("--run-type <type>", "of this type").choices(["tracked", "proposed"]))
      .addOption(new Option("--kind <kind>", "of targets of this kind").choices(["stack", "module"]))
      .option("--stack <name>", "of this stack: its name or its id")
      .option("--module <name>", "of this module: its name or its id")
      .option("--space <name>", "of targets in this space, not in one below")
      .option("--repository <name>", "of this repository: workspace/slug")
      .option("--commit <sha>", "that run this commit, 7 to 40 digits"),
  ).action((options: ListTriggersOptions) =>
    run(async (context) => (await load()).listTriggers(options, context)),
  );
  withApiOptions(
    trigger.command("show").description("show a trigger").argument("<id>", "the id of the trigger"),
  ).action((id: string, options: ApiOptions) =>
    run(async (context) => (await load()).showTrigger(id, options, context)),
  );
  withListOptions(
    trigger
      .command("history")
      .description("list what happened to a trigger, the latest first")
      .argument("<id>", "the id of the trigger"),
  ).action((id: string, options: ListOptions) =>
    run(async (context) => (await load()).listHistory(id, options, context)),
  );
}

function addInterventions(trigger: Command, run: RunCommand): void {
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
