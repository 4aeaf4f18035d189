import type { Command } from "commander";

import { EXIT_CODES, type RunCommand } from "../cli-context.ts";

const HELP = `
Examples:
  $ sluice config docs > docs/configuration.md
  $ sluice config schema > sluice.schema.json    # for completion in editors`;

/** `sluice config` */
export function addConfigCommand(program: Command, run: RunCommand): void {
  const config = program.command("config").description("what can be configured").addHelpText("after", HELP);
  config
    .command("docs")
    .description("print the reference of all variables, in Markdown")
    .action(() =>
      run(async ({ print }) => {
        const { writeConfigurationReference } = await import("../known-variables.ts");
        print(await writeConfigurationReference());
        return EXIT_CODES.done;
      }),
    );
  config
    .command("schema")
    .description("print the JSON Schema of sluice.yaml")
    .action(() =>
      run(async ({ print }) => {
        const { declarationJsonSchema } = await import("../declaration/json-schema.ts");
        print(`${JSON.stringify(declarationJsonSchema(), null, 2)}\n`);
        return EXIT_CODES.done;
      }),
    );
}
