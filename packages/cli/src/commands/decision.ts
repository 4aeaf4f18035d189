import { REASONS } from "@sluice/domain/reason";
import { type Command, Option } from "commander";

import type { RunCommand } from "../cli-context.ts";
import { type ApiOptions, withApiOptions, withListOptions } from "../over-api/api-options.ts";
import type { ListDecisionsOptions } from "../over-api/decisions.ts";

const OUTCOMES = ["trigger", "hold", "ignore"] as const;

const HELP = `
Examples:
  $ sluice decision list --outcome hold
  $ sluice decision list --event 019abc12-…
  $ sluice decision show 019abc12-…`;

const load = () => import("../over-api/decisions.ts");

/** `sluice decision` */
export function addDecisionCommand(program: Command, run: RunCommand): void {
  const decision = program
    .command("decision")
    .description("what each event meant for each stack and module, and why")
    .addHelpText("after", HELP);
  withListOptions(
    decision
      .command("list")
      .description("list decisions, the newest first")
      .option("--event <id>", "of this event")
      .addOption(new Option("--outcome <outcome>", "that came to this").choices(OUTCOMES))
      .addOption(new Option("--reason <reason>", "with this reason").choices(REASONS))
      .option("--since <when>", "made since: 24h ago, or 2027-01-31"),
  ).action((options: ListDecisionsOptions) =>
    run(async (context) => (await load()).listDecisions(options, context)),
  );
  withApiOptions(
    decision.command("show").description("show a decision").argument("<decision>", "its id"),
  ).action((id: string, options: ApiOptions) =>
    run(async (context) => (await load()).showDecision(id, options, context)),
  );
}
