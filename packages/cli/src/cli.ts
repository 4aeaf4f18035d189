/** The command line: its commands, its help, and what it ends with. Commands load what they need when they run. */
import { readFileSync } from "node:fs";
import { loadEnvironmentFile } from "@sluice/runtime/configuration";
import { Command, CommanderError } from "commander";

import { type CliContext, EXIT_CODES, type RunCommand } from "./cli-context.ts";
import { addApplyCommand } from "./commands/apply.ts";
import { addAuditCommand } from "./commands/audit.ts";
import { addCompletionCommand } from "./commands/completion.ts";
import { addConfigCommand } from "./commands/config.ts";
import { addDecisionCommand } from "./commands/decision.ts";
import { addDeliveryCommand } from "./commands/delivery.ts";
import { addDemoCommand } from "./commands/demo.ts";
import { addDoctorCommand } from "./commands/doctor.ts";
import { addEventCommand } from "./commands/event.ts";
import { addExplainCommand } from "./commands/explain.ts";
import { addExportCommand } from "./commands/export.ts";
import { addIntegrationCommand } from "./commands/integration.ts";
import { addKeyCommand } from "./commands/key.ts";
import { addKeysCommand } from "./commands/keys.ts";
import { addMigrateCommand } from "./commands/migrate.ts";
import { addOpenCommand } from "./commands/open.ts";
import { addPullRequestCommand } from "./commands/pull-request.ts";
import { addQueueCommand } from "./commands/queue.ts";
import { addReplayCommand } from "./commands/replay.ts";
import { addRepositoryCommand } from "./commands/repository.ts";
import { addResolveCommand } from "./commands/resolve.ts";
import { addServeCommand } from "./commands/serve.ts";
import { addSimulateCommand } from "./commands/simulate.ts";
import { addSpaceCommand } from "./commands/space.ts";
import { addSweepCommand } from "./commands/sweep.ts";
import { addTargetCommands } from "./commands/target.ts";
import { addTriggerCommand } from "./commands/trigger.ts";
import { addUpCommand } from "./commands/up.ts";
import { addWebhookCommand } from "./commands/webhook.ts";

const EXIT_CODE_HELP = `
Exit codes:
  0   done, or nothing to do
  1   failed; nothing is half done
  2   the command line or a file is wrong
  3   there are changes, and they were not made
  4   there is nothing like what was asked for
  5   the API refused: the key is wrong, or may not do this
  78  the environment is wrong

Variables are read from the environment and from .env; \`sluice config docs\` lists them all.`;

/** Runs one command line. @returns the exit code; a service that was started goes on running. */
export async function runCli(args: readonly string[], context: CliContext): Promise<number> {
  let exitCode: number = EXIT_CODES.done;
  const program = createProgram(context, async (work) => {
    exitCode = await work(context);
  });
  try {
    if (context.environmentFile !== undefined) loadEnvironmentFile(context.environmentFile);
    await program.parseAsync(args, { from: "user" });
    return exitCode;
  } catch (error) {
    // Commander has said what it had to: help, the version, or what is wrong with the command line.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT_CODES.done : EXIT_CODES.invalid;
    const { describeFailure, exitCodeOf } = await import("./describe-failure.ts");
    context.report(describeFailure(error, context.environment));
    return exitCodeOf(error);
  }
}

function createProgram(context: CliContext, run: RunCommand): Command {
  const program = new Command("sluice")
    .description("Bitbucket Cloud webhooks in, explained and deduplicated triggers out.")
    .version(readVersion(), "--version", "print the version")
    .exitOverride()
    .configureOutput({ writeOut: context.print, writeErr: context.report })
    .showHelpAfterError("(add --help to see what there is)")
    .showSuggestionAfterError()
    .addHelpText("after", EXIT_CODE_HELP);
  addUpCommand(program, run);
  addDemoCommand(program, run);
  addDoctorCommand(program, run);
  addApplyCommand(program, run);
  addExportCommand(program, run);
  addMigrateCommand(program, run);
  addServeCommand(program, run);
  addExplainCommand(program, run);
  addReplayCommand(program, run);
  addResolveCommand(program, run);
  addSweepCommand(program, run);
  addTriggerCommand(program, run);
  addDeliveryCommand(program, run);
  addEventCommand(program, run);
  addDecisionCommand(program, run);
  addPullRequestCommand(program, run);
  addSpaceCommand(program, run);
  addIntegrationCommand(program, run);
  addWebhookCommand(program, run);
  addTargetCommands(program, run);
  addRepositoryCommand(program, run);
  addKeyCommand(program, run);
  addAuditCommand(program, run);
  addOpenCommand(program, run);
  addQueueCommand(program, run);
  addSimulateCommand(program, run);
  addKeysCommand(program, run);
  addConfigCommand(program, run);
  addCompletionCommand(program, run);
  return program;
}

/** From the package itself, which lies above both the sources and the compiled code. */
function readVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
  const version: unknown = Reflect.get(Object(manifest), "version");
  return typeof version === "string" ? version : "unknown";
}
