import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { expect, test } from "vitest";

import { runCli } from "./cli.ts";

const REFERENCE = fileURLToPath(new URL("../../../docs/configuration.md", import.meta.url));

test("docs/configuration.md is what `sluice config docs` prints: run `npm run docs:configuration` after a change", async () => {
  let printed = "";
  const exitCode = await runCli(["config", "docs"], {
    environment: {},
    print: (text) => (printed += text),
    report: () => undefined,
    isInteractive: false,
    confirm: () => Promise.resolve(false),
    readLines: async function* () {},
    workingDirectory: "/",
  });
  expect(exitCode).toBe(0);
  expect(printed).toBe(readFileSync(REFERENCE, "utf8"));
});
