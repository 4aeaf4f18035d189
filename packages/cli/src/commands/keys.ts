import { resolve } from "node:path";
import type { Command } from "commander";

import { EXIT_CODES, type RunCommand } from "../cli-context.ts";

const HELP = `
A key has the form id:base64. To rotate, put a new one before the old: the first encrypts, all decrypt.

Examples:
  $ sluice keys generate
  $ sluice keys generate --file /etc/sluice/keys    # then SLUICE_ENCRYPTION_KEYS_FILE=/etc/sluice/keys`;

/** `sluice keys` */
export function addKeysCommand(program: Command, run: RunCommand): void {
  program
    .command("keys")
    .description("keys that encrypt stored secrets")
    .command("generate")
    .description("make a key for SLUICE_ENCRYPTION_KEYS")
    .option("--file <path>", "write it to a file that only you can read, unless it is there already")
    .addHelpText("after", HELP)
    .action((options: { readonly file?: string }) =>
      run(async ({ print, report, workingDirectory }) => {
        if (options.file === undefined) {
          const { generateKey } = await import("@sluice/runtime/keyring");
          print(`${generateKey()}\n`);
          return EXIT_CODES.done;
        }
        const { loadOrCreateKeyFile } = await import("@sluice/runtime/key-file");
        const path = resolve(workingDirectory, options.file);
        await loadOrCreateKeyFile(path);
        report(`The key is in ${path}.\n`);
        return EXIT_CODES.done;
      }),
    );
}
