import { ConfigurationError, loadConfiguration } from "@sluice/runtime/configuration";
import { expect, test } from "vitest";

import { apiVariables } from "./config.ts";

const DATABASE_URL = "postgres://sluice:secret@localhost:5432/sluice";

function load(key: string | undefined) {
  return loadConfiguration(apiVariables, { DATABASE_URL, SLUICE_BOOTSTRAP_KEY: key });
}

test("a key of 24 characters will do", () => {
  expect(load("k".repeat(24)).bootstrapKey).toBe("k".repeat(24));
});

test.each([
  ["is missing", undefined],
  ["is short", "k".repeat(23)],
  ["has a blank", `${"k".repeat(24)} k`],
  ["is not ASCII", `${"k".repeat(24)}ä`],
])("a key that %s is refused, and not shown", (_, key) => {
  expect(() => load(key)).toThrow(ConfigurationError);
  expect(() => load(key)).toThrow(/SLUICE_BOOTSTRAP_KEY/);
  expect(() => load(key)).not.toThrow(/kkk/);
});
