import { ConfigurationError, loadConfiguration } from "@sluice/runtime/configuration";
import { generateKey } from "@sluice/runtime/keyring";
import { expect, test } from "vitest";

import { apiVariables } from "./config.ts";

const DATABASE_URL = "postgres://sluice:secret@localhost:5432/sluice";

function load(key: string | undefined, more: Readonly<Record<string, string>> = {}) {
  return loadConfiguration(apiVariables, {
    DATABASE_URL,
    SLUICE_ENCRYPTION_KEYS: generateKey(),
    SLUICE_BOOTSTRAP_KEY: key,
    ...more,
  });
}

test("a key of 24 characters will do", () => {
  expect(load("k".repeat(24)).bootstrapKey).toBe("k".repeat(24));
});

test("without a key there is none, and without the ingress's address that is not known", () => {
  expect(load(undefined)).toMatchObject({ bootstrapKey: null, publicUrl: null });
});

test("the ingress's address is a URL", () => {
  const address = (text: string) => load(undefined, { SLUICE_PUBLIC_URL: text });
  expect(address("https://sluice.example.com").publicUrl).toBe("https://sluice.example.com");
  expect(() => address("sluice.example.com")).toThrow(/SLUICE_PUBLIC_URL/);
});

test.each([
  ["is short", "k".repeat(23)],
  ["has a blank", `${"k".repeat(24)} k`],
  ["is not ASCII", `${"k".repeat(24)}ä`],
])("a key that %s is refused, and not shown", (_, key) => {
  expect(() => load(key)).toThrow(ConfigurationError);
  expect(() => load(key)).toThrow(/SLUICE_BOOTSTRAP_KEY/);
  expect(() => load(key)).not.toThrow(/kkk/);
});
