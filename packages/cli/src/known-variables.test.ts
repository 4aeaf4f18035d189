import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { expect, test } from "vitest";

import { createLogger } from "@sluice/runtime/logger";

import { runCli } from "./cli.ts";
import { warnAboutUnknownVariables } from "./known-variables.ts";

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

test("a mistyped variable is warned about, with the one that was probably meant", async () => {
  const lines: string[] = [];
  const logger = createLogger({
    service: "test",
    level: "info",
    format: "json",
    destination: { write: (line) => void lines.push(line) },
  });
  const environment = { SLUICE_ENCRYPTION_KEY: "x", SLUICE_BOOTSTRAP_KEY: "known", PATH: "/bin" };
  await warnAboutUnknownVariables(environment, logger);
  expect(lines.map((line): unknown => JSON.parse(line))).toMatchObject([
    { level: "warn", variable: "SLUICE_ENCRYPTION_KEY", nearest: "SLUICE_ENCRYPTION_KEYS" },
  ]);
});
