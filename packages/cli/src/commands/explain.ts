import { type Command, InvalidArgumentError } from "commander";

import type { RunCommand } from "../cli-context.ts";
import { usageInvalid } from "../usage-error.ts";

/** What the command line says. */
export interface ExplainOptions {
  readonly target?: string;
  readonly limit: number;
  readonly json: boolean;
  readonly input: boolean;
}

const HELP = `
<what> is one of:
  the id of a delivery, of Bitbucket's request (X-Request-UUID), of an event, or of a trigger
  the commit that a push ended with, or that was the head of a pull request, 7 to 40 of its digits
  workspace/repository@branch: the latest pushes of the branch
  workspace/repository#12, or the address of its page: the latest events of the pull request

Exit code 4 when nothing is known of it; what may be the matter is said then.

Examples:
  $ sluice explain acme/infra@main
  $ sluice explain 'acme/infra#12'
  $ sluice explain 1c2d3e4 --target network
  $ sluice explain 5f0d2c8e-…           the X-Request-UUID of Bitbucket's request history
  $ sluice explain acme/infra@main --limit 50 --json
  $ sluice explain acme/infra@main --target network --input`;

const MAX_LIMIT = 100;

/** `sluice explain` */
export function addExplainCommand(program: Command, run: RunCommand): void {
  program
    .command("explain")
    .description("say what became of a push or a pull request, and why nothing ran")
    .argument(
      "<what>",
      "a delivery, request, event, trigger, commit, workspace/repository@branch, or workspace/repository#12",
    )
    .option("--target <name>", "only what it meant for this stack or module")
    .option("--limit <count>", "of the events that are found at most", parseLimit, 10)
    .option("--json", "print JSON", false)
    .option("--input", "print what a policy is given of the newest event and the target, as JSON", false)
    .addHelpText("after", HELP)
    .action((what: string, options: ExplainOptions) =>
      run(async (context) => {
        if (options.input) {
          if (options.target === undefined) {
            throw usageInvalid(
              "--input prints what a policy is given of an event and one target: name it by --target <name>",
            );
          }
          const { explainInput } = await import("../explain-input.ts");
          return explainInput(what, options.target, context);
        }
        const { explain } = await import("../explain-events.ts");
        return explain(what, options, context);
      }),
    );
}

function parseLimit(text: string): number {
  const limit = Number(text);
  if (!Number.isInteger(limit) || limit < 1 || limit > MAX_LIMIT) {
    throw new InvalidArgumentError(`It must be a whole number from 1 to ${String(MAX_LIMIT)}.`);
  }
  return limit;
}
