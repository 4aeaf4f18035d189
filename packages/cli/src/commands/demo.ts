import type { Command } from "commander";

import type { RunCommand } from "../cli-context.ts";

const HELP = `
It needs no account. Everything is kept in .sluice (or where SLUICE_DATA_DIRECTORY says), as by \`sluice up --embedded\`.

Example:
  $ sluice demo`;

/** `sluice demo` */
export function addDemoCommand(program: Command, run: RunCommand): void {
  program
    .command("demo")
    .description("show on this machine, without any account, what becomes of webhooks")
    .addHelpText("after", HELP)
    .action(() =>
      run(async (context) => {
        const { runDemo } = await import("../demo.ts");
        return runDemo(context);
      }),
    );
}
