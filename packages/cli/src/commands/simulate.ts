import { type Command, InvalidArgumentError } from "commander";

import type { RunCommand } from "../cli-context.ts";

/** What the command line says. */
export interface SimulateOptions {
  readonly endpoint: string;
  readonly repository: string;
  /** With braces, in lower case; absent = the one that every start gives. */
  readonly uuid?: string;
  readonly port: number;
  readonly secretVariable: string;
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

const HELP = `
Starts a Bitbucket Cloud in memory with one repository, and reads what happens in it from standard input, a line each:
  push <branch> <path>...            one commit that changes these files; a path after - is deleted
  force-push <branch> <path>...      one commit in place of the last
  delete-branch <branch>
  tag <name>
  open <branch> [title]              a pull request into main; open-draft for a draft
  edit <number> <title>              another title, and the same commits
  draft <number>                     not to be merged yet; ready <number> takes it back
  approve <number> [user]            by Grace Hopper, or by whom you name; unapprove takes it back
  request-changes <number> [user]    unrequest-changes takes it back
  merge <number>
  decline <number> [reason]
  comment <number> <text>
  wait <seconds>
Things go wrong as often as [times] says, or until "faults off":
  fault webhook <kind> [times] [event]   duplicate, lose, delay[=seconds], hold
  release [reversed]                     sends what is held
  fault api <kind> [times] [route]       429[=seconds of Retry-After], 400, 401, 403, 404, 410, 500, 502, 503, 504,
                                         555, slow[=seconds], wrong-json, cut-json, html, reset
  faults off
A route is a method and a path from /2.0 on, where * stands for anything: GET *diffstat*
Each line is answered with what was done, and the webhooks with the status that they got. At the end of the input it stops.

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
    .option("--uuid <uuid>", "the repository's uuid (default: the same at each start)", parseUuid)
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

/** With or without braces. */
function parseUuid(text: string): string {
  const bare = text.replace(/^\{(.*)\}$/, "$1").toLowerCase();
  if (!UUID.test(bare)) throw new InvalidArgumentError("It must be a uuid.");
  return `{${bare}}`;
}
