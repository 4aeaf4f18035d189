import type { Command } from "commander";

import { EXIT_CODES, type RunCommand } from "../cli-context.ts";

const HELP = `
Safe to run again, and by several at once: they wait for one another.

Example:
  $ DATABASE_URL=postgres://… sluice migrate`;

/** `sluice migrate` */
export function addMigrateCommand(program: Command, run: RunCommand): void {
  program
    .command("migrate")
    .description("bring the database and the queue to the state that this release needs")
    .addHelpText("after", HELP)
    .action(() =>
      run(async (context) => {
        const { findEnvironment } = await import("../running-environment.ts");
        const { migrate } = await import("../migrate.ts");
        await migrate(findEnvironment(context), (line) => context.report(`${line}\n`));
        return EXIT_CODES.done;
      }),
    );
}
