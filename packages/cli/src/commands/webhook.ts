import type { Command } from "commander";

import type { RunCommand } from "../cli-context.ts";
import { type AgreeOptions, withAgreement, withApiOptions } from "../over-api/api-options.ts";
import type { WebhookOptions } from "../over-api/webhooks.ts";

const HELP = `
Where: one repository; the webhook of a whole workspace; or every repository that a stack or module of the integration
uses. Webhooks of others are never touched. Where the credential may not touch webhooks, the steps for a person are shown.

Examples:
  $ sluice webhook plan acme --targets           # exit code 3 when something would be done
  $ sluice webhook apply acme --repository acme/infra
  $ sluice webhook apply acme --targets --renew-secret --yes    # after rotate-secret
  $ sluice webhook apply acme --workspace acme --remove`;

/** `sluice webhook` */
export function addWebhookCommand(program: Command, run: RunCommand): void {
  const webhook = program
    .command("webhook")
    .description("webhooks at Bitbucket: what is wrong with them, and mending it")
    .addHelpText("after", HELP);
  withApiOptions(withPlace(webhook.command("plan").description("show what would be done"))).action(
    (reference: string, options: WebhookOptions) =>
      run(async (context) =>
        (await import("../over-api/webhooks.ts")).planWebhooks(reference, options, context),
      ),
  );
  withAgreement(
    withPlace(webhook.command("apply").description("make, change and delete webhooks as planned")),
  ).action((reference: string, options: WebhookOptions & AgreeOptions) =>
    run(async (context) =>
      (await import("../over-api/webhooks.ts")).applyWebhooks(reference, options, context),
    ),
  );
}

function withPlace(command: Command): Command {
  return command
    .argument("<integration>", "its name or its id")
    .option("--repository <name>", "of this repository: workspace/slug")
    .option("--workspace <name>", "the webhook of the workspace itself")
    .option("--targets", "of every repository that a stack or module of the integration uses", false)
    .option("--remove", "delete them instead", false)
    .option("--renew-secret", "give each the present secret, as after a rotation", false);
}
