import type { Command } from "commander";

import type { RunCommand } from "../cli-context.ts";
import { type ApiOptions, withApiOptions, withListOptions } from "../over-api/api-options.ts";
import type { ListRepositoriesOptions } from "../over-api/repositories.ts";

const HELP = `
Examples:
  $ sluice repository list --name-prefix acme/
  $ sluice repository show acme/infra`;

/** `sluice repository` */
export function addRepositoryCommand(program: Command, run: RunCommand): void {
  const repository = program
    .command("repository")
    .description("repositories, what came from each, and what never did")
    .addHelpText("after", HELP);
  withListOptions(
    repository
      .command("list")
      .description("list repositories")
      .option("--integration <name>", "of this integration")
      .option("--name-prefix <text>", "whose name begins so, in any case"),
  ).action((options: ListRepositoriesOptions) =>
    run(async (context) => (await import("../over-api/repositories.ts")).listRepositories(options, context)),
  );
  withApiOptions(
    repository
      .command("show")
      .description("show a repository, and which webhooks never came")
      .argument("<repository>", "workspace/slug, or its id")
      .option("--integration <name>", "the integration that it is known through"),
  ).action((reference: string, options: ApiOptions & { readonly integration?: string }) =>
    run(async (context) =>
      (await import("../over-api/repositories.ts")).showRepository(reference, options, context),
    ),
  );
}
