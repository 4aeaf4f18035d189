import type { Command } from "commander";

import type { RunCommand } from "../cli-context.ts";
import { type ApiOptions, withApiOptions, withListOptions } from "../over-api/api-options.ts";
import type { ListPullRequestsOptions } from "../over-api/pull-requests.ts";

const HELP = `
Examples:
  $ sluice pull-request list --repository acme/infra --state open
  $ sluice pull-request show 'acme/infra#12'`;

const load = () => import("../over-api/pull-requests.ts");

/** `sluice pull-request` */
export function addPullRequestCommand(program: Command, run: RunCommand): void {
  const pullRequest = program
    .command("pull-request")
    .description("pull requests, as far as they are known")
    .addHelpText("after", HELP);
  withListOptions(
    pullRequest
      .command("list")
      .description("list pull requests, those of one repository with the highest number first")
      .option("--repository <name>", "into this repository: workspace/slug")
      .option("--state <state>", "in this state, in Bitbucket's word: open, merged, declined")
      .option("--source-branch <name>", "from a branch of this name"),
  ).action((options: ListPullRequestsOptions) =>
    run(async (context) => (await load()).listPullRequests(options, context)),
  );
  withApiOptions(
    pullRequest
      .command("show")
      .description("show a pull request, with its approvals, commits and last events")
      .argument("<pull-request>", "workspace/repository#12"),
  ).action((reference: string, options: ApiOptions) =>
    run(async (context) => (await load()).showPullRequest(reference, options, context)),
  );
}
