import { Argument, type Command } from "commander";

import { EXIT_CODES, type RunCommand } from "../cli-context.ts";
import { SERVICE_NAMES, type ServiceName } from "../service-names.ts";

const HELP = `
Stops on SIGTERM or Ctrl-C: takes no new work, finishes what it has, and ends. A second signal ends it at once.

Example:
  $ sluice serve worker`;

/** `sluice serve` */
export function addServeCommand(program: Command, run: RunCommand): void {
  program
    .command("serve")
    .description("run one service in this process")
    .addArgument(new Argument("<service>", "which one").choices(SERVICE_NAMES))
    .addHelpText("after", HELP)
    .action((name: ServiceName) =>
      run(async (context) => {
        const { findEnvironment } = await import("../running-environment.ts");
        const { prepareService } = await import("../services.ts");
        const { runService } = await import("@sluice/runtime/lifecycle");
        const { warnAboutUnknownVariables } = await import("../known-variables.ts");
        const environment = findEnvironment(context);
        const service = await prepareService(name, environment);
        await warnAboutUnknownVariables(environment, service.logger);
        await runService(service);
        return EXIT_CODES.done;
      }),
    );
}
