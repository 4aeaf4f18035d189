#!/usr/bin/env node
/** The process behind `sluice`: the only place that reads its environment and touches its streams. */
import { createInterface } from "node:readline/promises";
import process from "node:process";

import { runCli } from "./cli.ts";

// Whoever read the output has seen enough of it: `sluice … | head`.
process.stdout.on("error", (error) => {
  if (!("code" in error) || error.code !== "EPIPE") throw error;
  process.exit();
});

process.exitCode = await runCli(process.argv.slice(2), {
  // oxlint-disable-next-line node/no-process-env -- commands get the environment as a value: here it enters
  environment: process.env,
  environmentFile: ".env",
  print: (text) => void process.stdout.write(text),
  report: (text) => void process.stderr.write(text),
  isInteractive: process.stdin.isTTY && process.stdout.isTTY,
  confirm: async (question) => {
    const terminal = createInterface({ input: process.stdin, output: process.stderr });
    try {
      return /^y(?:es)?$/i.test((await terminal.question(question)).trim());
    } finally {
      terminal.close();
    }
  },
  readLines: () => createInterface({ input: process.stdin }),
  workingDirectory: process.cwd(),
});
