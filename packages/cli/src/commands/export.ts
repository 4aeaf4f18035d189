import type { Command } from "commander";

import type { RunCommand } from "../cli-context.ts";

const HELP = `
Secrets are never in it: the file refers to variables, and says at its top which and what they have to hold. What it cannot
say, such as a detached stack, is told. Applied again with the present secrets it changes nothing.

Examples:
  $ sluice export > sluice.yaml
  $ sluice export | sluice apply -f - --dry-run     # exit code 3 when something would change`;

/** `sluice export` */
export function addExportCommand(program: Command, run: RunCommand): void {
  program
    .command("export")
    .description("print what is stored as the file that `sluice apply` reads")
    .option("--json", "print JSON", false)
    .addHelpText("after", HELP)
    .action((options: { readonly json: boolean }) =>
      run(async (context) => (await import("../export-file.ts")).exportFile(options, context)),
    );
}
