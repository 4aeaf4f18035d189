import type { Command } from "commander";

import type { RunCommand } from "../cli-context.ts";

const HELP = `
Looks at the configuration of every service, Postgres, the queue, the clock, Bitbucket, the credentials of integrations,
their webhooks as they were last seen, and who is at work. Each line is ok, warn or fail, with what mends it below. It
changes nothing. Exit code 1 when something fails.

Run it where a service runs, with the variables of the services.

Examples:
  $ sluice doctor
  $ sluice doctor --json`;

/** `sluice doctor` */
export function addDoctorCommand(program: Command, run: RunCommand): void {
  program
    .command("doctor")
    .description("look at everything that Sluice needs, and say what mends it")
    .option("--json", "print JSON", false)
    .addHelpText("after", HELP)
    .action((options: { readonly json: boolean }) =>
      run(async (context) => (await import("../doctor/doctor.ts")).examine(options, context)),
    );
}
