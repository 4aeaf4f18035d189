import type { Command } from "commander";

import type { RunCommand } from "../cli-context.ts";
import type { OpenOptions } from "../over-api/open-console.ts";

const HELP = `
Examples:
  $ sluice open
  $ sluice open --print --url https://sluice.example.com`;

/** `sluice open` */
export function addOpenCommand(program: Command, run: RunCommand): void {
  program
    .command("open")
    .description("open the console in the browser")
    .option("--url <url>", "the API; default: SLUICE_URL, else the embedded Sluice that runs here")
    .option("--print", "only print its address", false)
    .addHelpText("after", HELP)
    .action((options: OpenOptions) =>
      run(async (context) => (await import("../over-api/open-console.ts")).openConsole(options, context)),
    );
}
