import { type Command, Option } from "commander";

import type { RunCommand } from "../cli-context.ts";
import {
  type AgreeOptions,
  type ApiOptions,
  collect,
  type ListOptions,
  parseWhole,
  withAgreement,
  withApiOptions,
  withListOptions,
} from "../over-api/api-options.ts";
import type { CheckOptions, RotateSecretOptions } from "../over-api/integrations.ts";
import type {
  CreateIntegrationOptions,
  CredentialOptions,
  UpdateIntegrationOptions,
} from "../over-api/write-integrations.ts";

const CHECKS = ["individual", "aggregated", "all"] as const;
const DEFAULT_OVERLAP_HOURS = 24;
const MAX_OVERLAP_HOURS = 720;

const HELP = `
<integration> is its name or its id. A token is never given on the command line, where others could read it: it is in the
variable that --token-variable names, or comes on standard input.

Examples:
  $ ACME_TOKEN=… sluice integration create acme --default --email bot@acme.example --token-variable ACME_TOKEN
  $ sluice integration create labs --space labs --token-stdin < token
  $ sluice integration check acme --against acme/infra
  $ sluice integration secret acme
  $ sluice integration rotate-secret acme --overlap-hours 48`;

const read = () => import("../over-api/integrations.ts");
const write = () => import("../over-api/write-integrations.ts");

/** `sluice integration` */
export function addIntegrationCommand(program: Command, run: RunCommand): void {
  const integration = program
    .command("integration")
    .description("connections to Bitbucket")
    .addHelpText("after", HELP);
  addLooks(integration, run);
  addWrites(integration, run);
  addChanges(integration, run);
}

function addLooks(integration: Command, run: RunCommand): void {
  withListOptions(integration.command("list").description("list integrations")).action(
    (options: ListOptions) => run(async (context) => (await read()).listIntegrations(options, context)),
  );
  withApiOptions(one(integration, "show", "show an integration, without its secrets")).action(
    (reference: string, options: ApiOptions) =>
      run(async (context) => (await read()).showIntegration(reference, options, context)),
  );
  withApiOptions(
    one(integration, "check", "try the credential at Bitbucket; exit code 1 unless it is accepted").option(
      "--against <name>",
      "a repository (workspace/slug) or a workspace to try it on",
    ),
  ).action((reference: string, options: CheckOptions) =>
    run(async (context) => (await read()).checkIntegration(reference, options, context)),
  );
  withApiOptions(
    one(integration, "secret", "show the webhook endpoint and its secret; it is noted who looked"),
  ).action((reference: string, options: ApiOptions) =>
    run(async (context) => (await read()).showSecret(reference, options, context)),
  );
}

function addWrites(integration: Command, run: RunCommand): void {
  withApiOptions(
    withSettings(
      withCredential(
        integration
          .command("create")
          .description("make an integration, try its credential, and show its webhook secret")
          .argument("<name>", "unique, and never changed: the webhook endpoint is made from it")
          .option("--default", "the one that every space may use", false)
          .option("--space <name>", "the space that owns it"),
      ),
    ),
  ).action((name: string, options: CreateIntegrationOptions) =>
    run(async (context) => (await write()).createIntegration(name, options, context)),
  );
  withApiOptions(
    withSettings(one(integration, "update", "change what is named, and leave the rest"))
      .option("--enable", "make something of its events", false)
      .option("--disable", "keep its events, and make nothing of them", false),
  ).action((reference: string, options: UpdateIntegrationOptions) =>
    run(async (context) => (await write()).updateIntegration(reference, options, context)),
  );
  withApiOptions(
    withCredential(one(integration, "set-credential", "replace the credential, and try it")),
  ).action((reference: string, options: ApiOptions & CredentialOptions) =>
    run(async (context) => (await write()).setCredential(reference, options, context)),
  );
}

function addChanges(integration: Command, run: RunCommand): void {
  withAgreement(
    one(integration, "rotate-secret", "make another webhook secret, and show it").option(
      "--overlap-hours <hours>",
      "for how long the present one still verifies",
      parseWhole(0, MAX_OVERLAP_HOURS),
      DEFAULT_OVERLAP_HOURS,
    ),
  ).action((reference: string, options: RotateSecretOptions) =>
    run(async (context) => (await read()).rotateSecret(reference, options, context)),
  );
  withAgreement(one(integration, "delete", "delete an integration, and wipe its secrets")).action(
    (reference: string, options: AgreeOptions) =>
      run(async (context) => (await read()).deleteIntegration(reference, options, context)),
  );
}

function one(integration: Command, name: string, description: string): Command {
  return integration.command(name).description(description).argument("<integration>", "its name or its id");
}

function withCredential(command: Command): Command {
  return command
    .option("--email <mail>", "of the account that an API token belongs to; without it, an access token")
    .option("--token-variable <name>", "the variable that holds the token")
    .option("--token-stdin", "the token comes on standard input", false)
    .option("--expires <when>", "when the token ends: in 90d, or at 2027-01-31")
    .option("--against <name>", "a repository (workspace/slug) or a workspace to try it on");
}

function withSettings(command: Command): Command {
  return command
    .option("--label <label>", "may be repeated; they take the place of those before", collect)
    .option("--description <markdown>", "what it is for")
    .addOption(new Option("--checks <which>", "which commit statuses are sent").choices(CHECKS))
    .option("--calls-per-hour <count>", "calls to Bitbucket that it may make", parseWhole(1, 100_000));
}
