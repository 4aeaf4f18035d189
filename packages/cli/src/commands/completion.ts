import { Argument, type Command } from "commander";

import { EXIT_CODES, type RunCommand } from "../cli-context.ts";
import { SHELLS, type Shell, writeCompletion } from "../completion.ts";

const HELP = `
Examples:
  $ source <(sluice completion bash)                      # in ~/.bashrc
  $ source <(sluice completion zsh)                       # in ~/.zshrc, after compinit
  $ sluice completion fish > ~/.config/fish/completions/sluice.fish`;

/** `sluice completion` */
export function addCompletionCommand(program: Command, run: RunCommand): void {
  program
    .command("completion")
    .description("print a script that completes command lines in a shell")
    .addArgument(new Argument("<shell>", "which one").choices(SHELLS))
    .addHelpText("after", HELP)
    .action((shell: Shell) =>
      run(({ print }) => {
        print(writeCompletion(program, shell));
        return Promise.resolve(EXIT_CODES.done);
      }),
    );
}
