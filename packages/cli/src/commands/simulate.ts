import { type Command, InvalidArgumentError } from "commander";

import type { RunCommand } from "../cli-context.ts";

/** What the command line says. */
export interface SimulateOptions {
  readonly endpoint: string;
  readonly repository: string;
  readonly port: number;
  readonly secretVariable: string;
}

const HELP = `
Starts a Bitbucket Cloud in memory with one repository, and reads what happens in it from standard input, a line each:
  push <branch> <path>...       one commit that changes these files
  force-push <branch> <path>... one commit in place of the last
  delete-branch <branch>
  tag <name>
  open <branch> [title]         a pull request into main
  merge <number>
  comment <number> <text>
  wait <seconds>
Each line is answered with the webhooks that were sent and the status that they got. At the end of the input it stops.

Examples:
  $ export BITBUCKET_API_URL=http://127.0.0.1:7990/2.0     # for the worker
  $ SECRET=… sluice simulate --endpoint http://127.0.0.1:8080/webhooks/bitbucket-cloud/acme
  $ echo "push main network/main.tf" | SECRET=… sluice simulate --endpoint …`;

/** `sluice simulate` */
export function addSimulateCommand(program: Command, run: RunCommand): void {
  program
    .command("simulate")
    .description("play a Bitbucket Cloud by hand")
    .requiredOption("--endpoint <url>", "the webhook endpoint of an integration")
    .option("--repository <name>", "the repository to make, workspace/slug", "acme/infra")
    .option("--port <port>", "where its REST API listens", parsePort, 7990)
    .option("--secret-variable <name>", "the variable that holds the webhook secret", "SECRET")
    .addHelpText("after", HELP)
    .action((options: SimulateOptions) =>
      run(async (context) => {
        const { simulate } = await import("../simulate.ts");
        return simulate(options, context);
      }),
    );
}

function parsePort(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65_535) throw new InvalidArgumentError("It must be a port, 0 to 65535.");
  return port;
}
