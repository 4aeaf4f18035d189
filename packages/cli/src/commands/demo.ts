import type { Command } from "commander";

import type { RunCommand } from "../cli-context.ts";

/** `sluice demo` */
export function addDemoCommand(program: Command, run: RunCommand): void {
  program
    .command("demo")
    .description("show on this machine, without any account, what becomes of webhooks")
    .action(() =>
      run(async (context) => {
        const { runDemo } = await import("../demo.ts");
        return runDemo(context);
      }),
    );
}
