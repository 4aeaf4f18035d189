import { type Command, Option } from "commander";

import type { RunCommand } from "../cli-context.ts";
import {
  type AgreeOptions,
  type ApiOptions,
  withAgreement,
  withApiOptions,
  withListOptions,
} from "../over-api/api-options.ts";
import type { ImportOptions, InSpace, ListTargetsOptions, TargetKind } from "../over-api/targets.ts";

const STATES = ["active", "detached", "disabled"] as const;

const helpOf = (kind: TargetKind) => `
The file of an import is JSON: a list of entries with the fields of sluice.yaml, at most 10 000. Each becomes what it
says, known by its space and name, or none does.

Examples:
  $ sluice ${kind} list --repository acme/infra --state detached
  $ sluice ${kind} show network --space payments
  $ sluice ${kind} import ${kind}s.json
  $ sluice ${kind} import ${kind}s.json --remove-missing-in payments --yes`;

/** `sluice stack`, and `sluice module` */
export function addTargetCommands(program: Command, run: RunCommand): void {
  addTargetCommand(program, run, "stack");
  addTargetCommand(program, run, "module");
}

function addTargetCommand(program: Command, run: RunCommand, kind: TargetKind): void {
  const target = program.command(kind).description(`${kind}s`).addHelpText("after", helpOf(kind));
  withListOptions(
    target
      .command("list")
      .description(`list ${kind}s`)
      .option("--space <name>", "of this space, not of those below")
      .option("--name-prefix <text>", "whose name begins so")
      .option("--label <label>", "that have this label")
      .option("--repository <name>", "of this repository: workspace/slug")
      .option("--integration <name>", "that use this integration")
      .addOption(new Option("--state <state>", "in this state").choices(STATES))
      .option("--external-id <id>", "that the scheduler knows so"),
  ).action((options: ListTargetsOptions) =>
    run(async (context) => (await import("../over-api/targets.ts")).listTargets(kind, options, context)),
  );
  withApiOptions(
    target
      .command("show")
      .description(`show a ${kind}`)
      .argument(`<${kind}>`, "its name or its id")
      .option("--space <name>", "the space that it is in"),
  ).action((reference: string, options: ApiOptions & InSpace) =>
    run(async (context) =>
      (await import("../over-api/targets.ts")).showTarget(kind, reference, options, context),
    ),
  );
  withAgreement(
    target
      .command("delete")
      .description(`remove a ${kind}; its history stays`)
      .argument(`<${kind}>`, "its name or its id")
      .option("--space <name>", "the space that it is in"),
  ).action((reference: string, options: AgreeOptions & InSpace) =>
    run(async (context) =>
      (await import("../over-api/targets.ts")).deleteTarget(kind, reference, options, context),
    ),
  );
  withAgreement(
    target
      .command("import")
      .description(`make or change thousands of ${kind}s at once`)
      .argument("<file>", "JSON; - is standard input")
      .option("--remove-missing-in <space>", `also remove the ${kind}s of this space that the file has not`),
  ).action((file: string, options: ImportOptions) =>
    run(async (context) =>
      (await import("../over-api/targets.ts")).importTargets(kind, file, options, context),
    ),
  );
}
