import { type Command, Option } from "commander";

import type { RunCommand } from "../cli-context.ts";
import { type ApiOptions, withApiOptions, withListOptions } from "../over-api/api-options.ts";
import type { ListDeliveriesOptions } from "../over-api/deliveries.ts";

const OUTCOMES = ["events", "no_events", "unsupported", "failed"] as const;

const HELP = `
<delivery> is its id, or that of Bitbucket's request (X-Request-UUID). What became of it in words: sluice explain.

Examples:
  $ sluice delivery list --outcome failed --since 24h
  $ sluice delivery show 5f0d2c8e-…
  $ sluice delivery body 5f0d2c8e-… > webhook.json     # for admins; it is noted who looked`;

const load = () => import("../over-api/deliveries.ts");

/** `sluice delivery` */
export function addDeliveryCommand(program: Command, run: RunCommand): void {
  const delivery = program
    .command("delivery")
    .description("webhooks that came, and what became of each")
    .addHelpText("after", HELP);
  withListOptions(
    delivery
      .command("list")
      .description("list deliveries, the newest first")
      .option("--integration <name>", "to this integration")
      .addOption(new Option("--outcome <outcome>", "that became this").choices(OUTCOMES))
      .option("--event-key <key>", "of this kind, such as repo:push")
      .option("--since <when>", "recorded since: 24h ago, or 2027-01-31")
      .option("--until <when>", "recorded before"),
  ).action((options: ListDeliveriesOptions) =>
    run(async (context) => (await load()).listDeliveries(options, context)),
  );
  withApiOptions(
    delivery
      .command("show")
      .description("show a delivery, with its events and what each meant")
      .argument("<delivery>", "its id, or X-Request-UUID"),
  ).action((id: string, options: ApiOptions) =>
    run(async (context) => (await load()).showDelivery(id, options, context)),
  );
  withApiOptions(
    delivery
      .command("body")
      .description("print what came, byte for byte")
      .argument("<delivery>", "its id, or X-Request-UUID"),
  ).action((id: string, options: ApiOptions) =>
    run(async (context) => (await load()).showBody(id, options, context)),
  );
}
