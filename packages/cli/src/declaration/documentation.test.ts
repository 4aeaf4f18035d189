import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import type { z } from "zod";

import {
  credentialSchema,
  fileSchema,
  integrationSchema,
  moduleSchema,
  spaceSchema,
  targetSchema,
} from "./declaration-schema.ts";
import { parseDeclaration } from "./parse-declaration.ts";

const CHECKOUT = new URL("../../../../", import.meta.url);
const read = (path: string) => readFile(new URL(path, CHECKOUT), "utf8");

/** A row of the reference, as the schema has it. */
function rowOf(key: string, schema: z.ZodType): string {
  const need = schema.safeParse(undefined).success ? "" : "required";
  return ["", `\`${key}\``, need, schema.description ?? "", ""].join(" | ").replaceAll(/\s+/g, " ").trim();
}

const shapes: [string, Readonly<Record<string, z.ZodType>>][] = [
  ["the file", fileSchema.shape],
  ["spaces", spaceSchema.shape],
  ["integrations", integrationSchema.shape],
  ["stacks and modules", targetSchema.shape],
  ["modules", moduleSchema.shape],
  ...credentialSchema.options.map((option): [string, Readonly<Record<string, z.ZodType>>] => [
    "credentials",
    option.shape,
  ]),
];

test.each(shapes)("docs/sluice-yaml.md says of every key of %s what the schema says", async (_, shape) => {
  const rows = new Set(
    (await read("docs/sluice-yaml.md")).split("\n").map((row) => row.replaceAll(/\s+/g, " ").trim()),
  );
  for (const [key, schema] of Object.entries(shape)) expect(rows).toContain(rowOf(key, schema));
});

test("examples/sluice.yaml and the example of its reference can be applied", async () => {
  const environment = {
    ACME_API_TOKEN: "token",
    LABS_ACCESS_TOKEN: "token",
    LABS_WEBHOOK_SECRET: "a-secret-of-32-characters-or-so",
  };
  const example = await read("examples/sluice.yaml");
  const { targets } = parseDeclaration([{ file: "examples/sluice.yaml", text: example }], environment);
  expect(targets).toHaveLength(7);
  const [, inReference = ""] = /```yaml\n(.*?)```/s.exec(await read("docs/sluice-yaml.md")) ?? [];
  expect(parseDeclaration([{ file: "docs", text: inReference }], environment).targets).toHaveLength(2);
});

test("docs/cli.md has a chapter for every command", async () => {
  const text = await read("docs/cli.md");
  for (const name of [
    "up",
    "demo",
    "apply",
    "migrate",
    "serve",
    "queue",
    "resolve",
    "simulate",
    "keys generate",
    "config",
  ]) {
    expect(text).toContain(`\n## sluice ${name}\n`);
  }
});
