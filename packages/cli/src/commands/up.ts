import type { Command } from "commander";

import type { RunCommand } from "../cli-context.ts";

/** What the command line says. */
export interface UpOptions {
  readonly embedded: boolean;
}

const HELP = `
With --embedded nothing needs to be installed: PostgreSQL comes with Sluice and keeps its data in .sluice (or where
SLUICE_DATA_DIRECTORY says), and the keys that encrypt secrets are made there, readable by you alone. While it runs,
other commands started in the same folder find it by themselves.

Examples:
  $ sluice up --embedded
  $ DATABASE_URL=postgres://… SLUICE_ENCRYPTION_KEYS=… sluice up`;

/** `sluice up` */
export function addUpCommand(program: Command, run: RunCommand): void {
  program
    .command("up")
    .description("run everything on this machine, in one process")
    .option("--embedded", "with a PostgreSQL of its own", false)
    .addHelpText("after", HELP)
    .action((options: UpOptions) =>
      run(async (context) => {
        const { runEverything } = await import("../run-everything.ts");
        return runEverything(options, context);
      }),
    );
}
