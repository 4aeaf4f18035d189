import { type Command, Option } from "commander";

import type { RunCommand } from "../cli-context.ts";
import { type ApiOptions, parseWhole, withApiOptions, withListOptions } from "../over-api/api-options.ts";
import type { ListEventsOptions } from "../over-api/events.ts";

const KINDS = ["push", "pull_request", "unsupported"] as const;
const MAX_NUMBER = 2 ** 31 - 1;

const HELP = `
Examples:
  $ sluice event list --undecided
  $ sluice event list --repository acme/infra --pull-request 12
  $ sluice event show 019abc12-…`;

const load = () => import("../over-api/events.ts");

/** `sluice event` */
export function addEventCommand(program: Command, run: RunCommand): void {
  const event = program
    .command("event")
    .description("what webhooks said, and what it meant or waits for")
    .addHelpText("after", HELP);
  withListOptions(
    event
      .command("list")
      .description("list events, the newest first")
      .option("--repository <name>", "of this repository: workspace/slug")
      .addOption(new Option("--kind <kind>", "of this kind").choices(KINDS))
      .option("--event-key <key>", "of this key, such as repo:push")
      .option("--commit <sha>", "that came to this commit, 7 to 40 digits")
      .option("--pull-request <number>", "of this one of the repository", parseWhole(1, MAX_NUMBER))
      .option("--undecided", "that wait for their decisions", false),
  ).action((options: ListEventsOptions) =>
    run(async (context) => (await load()).listEvents(options, context)),
  );
  withApiOptions(
    event
      .command("show")
      .description("show an event, with what it meant or waits for")
      .argument("<event>", "its id"),
  ).action((id: string, options: ApiOptions) =>
    run(async (context) => (await load()).showEvent(id, options, context)),
  );
}
