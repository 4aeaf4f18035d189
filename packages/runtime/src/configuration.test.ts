import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { env as processEnvironment } from "node:process";
import { afterEach, beforeEach, describe, expect, expectTypeOf, it } from "vitest";
import {
  ConfigurationError,
  defineConfiguration,
  findUnknownVariables,
  loadConfiguration,
  loadEnvironmentFile,
  type ConfigurationDefinition,
  type Environment,
} from "./configuration.ts";
import { integer, port, text, url } from "./configuration-values.ts";

const definition = defineConfiguration({
  port: { name: "TEST_PORT", schema: port(), description: "Port to listen on.", default: "8080" },
  upstream: {
    name: "TEST_UPSTREAM",
    schema: url({ protocols: ["https"], shape: "https://host" }),
    description: "Where to ask.",
  },
  token: {
    name: "SLUICE_TEST_TOKEN",
    schema: text("a token"),
    description: "What to show.",
    secret: true,
    example: "tok_example",
  },
  limit: {
    name: "TEST_LIMIT",
    schema: integer({ min: 1, max: 9 }),
    description: "At most so many.",
    optional: true,
  },
});
const good: Environment = { TEST_UPSTREAM: "https://example.com", SLUICE_TEST_TOKEN: "tok" };

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sluice-configuration-"));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

function problemsOf(given: ConfigurationDefinition, env: Environment): readonly string[] {
  try {
    loadConfiguration(given, env);
  } catch (error) {
    if (error instanceof ConfigurationError) return error.problems;
    throw error;
  }
  return [];
}

function aFile(content: string): string {
  const path = join(folder, "value");
  writeFileSync(path, content);
  return path;
}

describe("loadConfiguration", () => {
  it("gives typed, frozen values, defaults, and null for an optional one that is unset", () => {
    const configuration = loadConfiguration(definition, good);
    expect(configuration).toEqual({ port: 8080, upstream: "https://example.com", token: "tok", limit: null });
    expect(Object.isFrozen(configuration)).toBe(true);
    expectTypeOf(configuration).toEqualTypeOf<{
      readonly port: number;
      readonly upstream: string;
      readonly token: string;
      readonly limit: number | null;
    }>();
  });

  it("takes an empty text for unset", () => {
    expect(loadConfiguration(definition, { ...good, TEST_PORT: "", TEST_LIMIT: "" })).toMatchObject({
      port: 8080,
      limit: null,
    });
    expect(problemsOf(definition, { ...good, TEST_UPSTREAM: "" })).toHaveLength(1);
  });

  it("lists every missing and every wrong variable at once, with what each should be", () => {
    const problems = problemsOf(definition, { TEST_PORT: "80x", TEST_LIMIT: "10" });
    expect(problems).toEqual([
      'TEST_PORT is "80x": expected a port from 1 to 65535 (0 takes any free one)',
      expect.stringMatching(/^TEST_UPSTREAM is missing: expected a URL like https:\/\/host/),
      "SLUICE_TEST_TOKEN is missing: expected a token, for example tok_example",
      'TEST_LIMIT is "10": expected a whole number from 1 to 9',
    ]);
    expect(new ConfigurationError(problems).message).toBe(
      `The configuration has 4 problems:\n${problems.map((line) => `  - ${line}`).join("\n")}`,
    );
  });

  it("never shows the value of a secret, nor a password in a URL that is none", () => {
    const [upstream] = problemsOf(definition, { ...good, TEST_UPSTREAM: "http://user:hunter2@host" });
    expect(upstream).toContain("http://[redacted]@host");
    const secretNumber = defineConfiguration({
      pin: { name: "PIN", schema: integer({ min: 1, max: 2 }), description: "A pin.", secret: true },
    });
    expect(problemsOf(secretNumber, { PIN: "hunter2" })).toEqual([
      "PIN is not valid: expected a whole number from 1 to 2",
    ]);
  });

  it("names the mistyped variable that was probably meant for a missing one", () => {
    const [problem] = problemsOf(definition, {
      ...good,
      TEST_UPSTREAM: undefined,
      TEST_UPSTRAEM: "https://x",
    });
    expect(problem).toContain("(is TEST_UPSTRAEM a mistyped one?)");
  });
});

describe("a secret in a file", () => {
  it("is read from <NAME>_FILE without the line end", () => {
    const env = { TEST_UPSTREAM: "https://x", SLUICE_TEST_TOKEN_FILE: aFile("from-file\n") };
    expect(loadConfiguration(definition, env).token).toBe("from-file");
  });

  it("is a problem when the file is empty or absent, or when the variable is set as well", () => {
    const path = aFile("\n");
    const env = { TEST_UPSTREAM: "https://x" };
    expect(problemsOf(definition, { ...env, SLUICE_TEST_TOKEN_FILE: path })).toEqual([
      `SLUICE_TEST_TOKEN_FILE names an empty file (${path})`,
    ]);
    expect(problemsOf(definition, { ...env, SLUICE_TEST_TOKEN_FILE: join(folder, "none") })).toEqual([
      expect.stringMatching(/^SLUICE_TEST_TOKEN_FILE names an unreadable file: ENOENT/),
    ]);
    expect(problemsOf(definition, { ...good, SLUICE_TEST_TOKEN_FILE: path })).toEqual([
      "SLUICE_TEST_TOKEN and SLUICE_TEST_TOKEN_FILE are both set: keep one",
    ]);
  });

  it("is not read for a variable that is no secret", () => {
    expect(loadConfiguration(definition, { ...good, TEST_PORT_FILE: aFile("1") }).port).toBe(8080);
  });
});

describe("a variable with fallbacks", () => {
  const withFallback = defineConfiguration({
    first: { name: "FIRST", schema: text("a name"), description: "A name.", fallbacks: ["SECOND", "THIRD"] },
  });
  const withBoth = defineConfiguration({
    ...withFallback,
    third: { name: "THIRD", schema: text("another name"), description: "Another name." },
  });

  it("takes the first that is set", () => {
    expect(loadConfiguration(withFallback, { FIRST: "", SECOND: "2", THIRD: "3" }).first).toBe("2");
    expect(loadConfiguration(withFallback, { FIRST: "1", SECOND: "2" }).first).toBe("1");
  });

  it("names all of them when none is set, in one line a variable", () => {
    expect(problemsOf(withFallback, {})).toEqual([
      "FIRST is missing, and so is SECOND, THIRD: expected a name",
    ]);
    expect(problemsOf(withBoth, {})).toEqual(["THIRD is missing: expected another name"]);
  });

  it("blames the variable that held the wrong value", () => {
    const numbers = defineConfiguration({
      first: {
        name: "FIRST",
        schema: integer({ min: 1, max: 2 }),
        description: "One.",
        fallbacks: ["SECOND"],
      },
    });
    expect(problemsOf(numbers, { SECOND: "x" })).toEqual([
      'SECOND is "x": expected a whole number from 1 to 2',
    ]);
  });
});

describe("defineConfiguration", () => {
  const base = { schema: port(), description: "A port." };
  it.each<[string, ConfigurationDefinition]>([
    ["is not in upper snake case", { a: { ...base, name: "testPort" } }],
    ["is declared twice", { a: { ...base, name: "A_PORT" }, b: { ...base, name: "A_PORT" } }],
    ["is a secret and has a default", { a: { ...base, name: "A_PORT", secret: true, default: "1" } }],
    ["is optional and has a default", { a: { ...base, name: "A_PORT", optional: true, default: "1" } }],
    ["has a default that its schema refuses", { a: { ...base, name: "A_PORT", default: "x" } }],
  ])("refuses a variable that %s", (mistake, wrong) => {
    expect(() => defineConfiguration(wrong)).toThrow(mistake);
  });
});

describe("findUnknownVariables", () => {
  it("finds SLUICE_ variables that nothing reads, with the name that was meant", () => {
    const env = {
      ...good,
      SLUICE_TEST_TOKEN_FILE: "/run/secrets/token",
      SLUICE_TEST_TOKNE: "x",
      SLUICE_ENTIRELY_DIFFERENT: "x",
      OTHER: "x",
    };
    expect(findUnknownVariables([definition], env)).toEqual([
      { name: "SLUICE_TEST_TOKNE", nearest: "SLUICE_TEST_TOKEN" },
      { name: "SLUICE_ENTIRELY_DIFFERENT", nearest: null },
    ]);
  });
});

describe("loadEnvironmentFile", () => {
  const NEW = "SLUICE_TEST_FROM_FILE";
  const SET = "SLUICE_TEST_ALREADY_SET";
  afterEach(() => {
    Reflect.deleteProperty(processEnvironment, NEW);
    Reflect.deleteProperty(processEnvironment, SET);
  });

  it("adds what the file says and leaves what the environment has", () => {
    processEnvironment[SET] = "real";
    expect(loadEnvironmentFile(aFile(`${NEW}=new\n${SET}=from file\n`))).toBe(true);
    expect(processEnvironment[NEW]).toBe("new");
    expect(processEnvironment[SET]).toBe("real");
  });

  it("answers false for a file that is not there, and throws for one that cannot be read", () => {
    expect(loadEnvironmentFile(join(folder, "none"))).toBe(false);
    expect(() => loadEnvironmentFile(folder)).toThrow(
      expect.objectContaining({ code: "configuration_invalid", message: expect.stringContaining(folder) }),
    );
  });
});
