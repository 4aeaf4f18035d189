import type { Command } from "commander";

import type { RunCommand } from "../cli-context.ts";

/** What the command line says: one of the three. */
export interface ResolveOptions {
  readonly all: boolean;
  readonly none: boolean;
  readonly targets?: readonly string[];
  readonly by: string;
  readonly json: boolean;
}

const HELP = `
An event is held when Bitbucket could not say which files a push to a tracked branch changed: to run everything might
apply a whole monorepo. Its id is in the decisions of GET /v1/deliveries/<id>.

Examples:
  $ sluice resolve 019abc12-… --all
  $ sluice resolve 019abc12-… --targets network database
  $ sluice resolve 019abc12-… --none`;

/** `sluice resolve` */
export function addResolveCommand(program: Command, run: RunCommand): void {
  program
    .command("resolve")
    .description("say which targets of a held event are to run")
    .argument("<event>", "the id of the event")
    .option("--all", "all of them", false)
    .option("--none", "none of them", false)
    .option("--targets <name...>", "these, and not the others")
    .option("--by <name>", "who says so, for the record", "an operator")
    .option("--json", "print JSON", false)
    .addHelpText("after", HELP)
    .action((event: string, options: ResolveOptions) =>
      run(async (context) => {
        const { resolveHeld } = await import("../resolve-held.ts");
        return resolveHeld(event, options, context);
      }),
    );
}
