/** The command line: its commands, its help, and what it ends with. Commands load what they need when they run. */
import { readFileSync } from "node:fs";
import { loadEnvironmentFile } from "@sluice/runtime/configuration";
import { Command, CommanderError } from "commander";

import { type CliContext, EXIT_CODES, type RunCommand } from "./cli-context.ts";
import { addApplyCommand } from "./commands/apply.ts";
import { addConfigCommand } from "./commands/config.ts";
import { addDemoCommand } from "./commands/demo.ts";
import { addExplainCommand } from "./commands/explain.ts";
import { addKeysCommand } from "./commands/keys.ts";
import { addMigrateCommand } from "./commands/migrate.ts";
import { addQueueCommand } from "./commands/queue.ts";
import { addReplayCommand } from "./commands/replay.ts";
import { addResolveCommand } from "./commands/resolve.ts";
import { addServeCommand } from "./commands/serve.ts";
import { addSimulateCommand } from "./commands/simulate.ts";
import { addSweepCommand } from "./commands/sweep.ts";
import { addTriggerCommand } from "./commands/trigger.ts";
import { addUpCommand } from "./commands/up.ts";

const EXIT_CODE_HELP = `
Exit codes:
  0   done, or nothing to do
  1   failed; nothing is half done
  2   the command line or a file is wrong
  3   apply: there are changes, and they were not applied
  4   explain, replay: nothing is known of what was asked for
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
  addApplyCommand(program, run);
  addMigrateCommand(program, run);
  addServeCommand(program, run);
  addExplainCommand(program, run);
  addQueueCommand(program, run);
  addReplayCommand(program, run);
  addResolveCommand(program, run);
  addTriggerCommand(program, run);
  addSweepCommand(program, run);
  addSimulateCommand(program, run);
  addKeysCommand(program, run);
  addConfigCommand(program, run);
  return program;
}

/** From the package itself, which lies above both the sources and the compiled code. */
function readVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
  const version: unknown = Reflect.get(Object(manifest), "version");
  return typeof version === "string" ? version : "unknown";
}
