import type { Command } from "commander";

import type { RunCommand } from "../cli-context.ts";

/** What the command line says. */
export interface ApplyOptions {
  readonly file: readonly string[];
  readonly dryRun: boolean;
  readonly yes: boolean;
  readonly prune: boolean;
  readonly by: string;
  readonly json: boolean;
}

const HELP = `
Shows what will change and asks before it changes anything. Without a terminal it only shows, unless --yes is given.
--prune removes what the file does not name, in the sections that the file has.

Examples:
  $ sluice apply -f sluice.yaml --dry-run        # exit code 3 when something would change
  $ sluice apply -f sluice.yaml
  $ sluice apply -f platform.yaml -f payments.yaml --yes --prune --by "pipeline 1042"

The format of the file: docs/sluice-yaml.md`;

/** `sluice apply` */
export function addApplyCommand(program: Command, run: RunCommand): void {
  program
    .command("apply")
    .description("make spaces, integrations, stacks and modules what files say")
    .option("-f, --file <path...>", "the file, or several that belong together; - is standard input", [
      "sluice.yaml",
    ])
    .option("--dry-run", "only show what would change", false)
    .option("-y, --yes", "do not ask", false)
    .option("--prune", "also remove what the files do not name", false)
    .option("--by <name>", "who does it, for the record", "sluice apply")
    .option("--json", "print problems and changes as JSON", false)
    .addHelpText("after", HELP)
    .action((options: ApplyOptions) =>
      run(async (context) => {
        const { applyFiles } = await import("../apply-files.ts");
        return applyFiles(options, context);
      }),
    );
}
