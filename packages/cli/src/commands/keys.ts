import { resolve } from "node:path";
import type { Command } from "commander";

import { EXIT_CODES, type RunCommand } from "../cli-context.ts";

/** What the command line says. */
export interface RotateOptions {
  readonly dryRun: boolean;
  readonly by: string;
  readonly json: boolean;
}

const GENERATE_HELP = `
A key has the form id:base64. To rotate, put a new one before the old, and see \`sluice keys rotate --help\`.

Examples:
  $ sluice keys generate
  $ sluice keys generate --file /etc/sluice/keys    # then SLUICE_ENCRYPTION_KEYS_FILE=/etc/sluice/keys`;

const ROTATE_HELP = `
The order of a rotation:
  1. put a new key before the old one, \`new:…,old:…\`, in SLUICE_ENCRYPTION_KEYS of every process
  2. restart them all: from here on what is stored comes under the new key, and both decrypt
  3. run this, as often as you like: it goes on where it was stopped
  4. drop the keys that it says can be dropped, and restart again
A process that does not have the new key yet cannot read what this encrypts: step 3 never comes before step 2.

It ends with 1 when something does not decrypt with any key, and with 3 when there is more to do.

Examples:
  $ sluice keys rotate --dry-run
  $ sluice keys rotate --by "Ada"`;

/** `sluice keys` */
export function addKeysCommand(program: Command, run: RunCommand): void {
  const keys = program.command("keys").description("keys that encrypt stored secrets");
  keys
    .command("generate")
    .description("make a key for SLUICE_ENCRYPTION_KEYS")
    .option("--file <path>", "write it to a file that only you can read, unless it is there already")
    .addHelpText("after", GENERATE_HELP)
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
  keys
    .command("rotate")
    .description("encrypt what is stored under the first key")
    .option("--dry-run", "only count", false)
    .option("--by <name>", "who does it, for the record", "an operator")
    .option("--json", "print JSON", false)
    .addHelpText("after", ROTATE_HELP)
    .action((options: RotateOptions) =>
      run(async (context) => {
        const { rotateKeys } = await import("../keys-rotate.ts");
        return rotateKeys(options, context);
      }),
    );
}
