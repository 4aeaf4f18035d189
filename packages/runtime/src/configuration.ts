/** Declares the variables of a process and reads them all at once: everything that is wrong is told in one go. */
import { readFileSync } from "node:fs";
import { loadEnvFile } from "node:process";
import { AppError } from "@sluice/domain/app-error";
import type { z } from "zod";
import { findNearestName } from "./nearest-name.ts";
import { describeError, redactText } from "./redaction.ts";

const OUR_PREFIX = "SLUICE_";
const FILE_SUFFIX = "_FILE";
const MAX_SHOWN_VALUE = 80;

/** One environment variable. Exactly one of three: required (neither default nor optional), with a default, optional. */
export interface Variable {
  /** Upper snake case. */
  readonly name: string;
  /** Makes the value from the text; its `describe()` says what the text should be. */
  readonly schema: z.ZodType<unknown, string>;
  /** What it decides, with its unit. */
  readonly description: string;
  /** As an operator would write it; read by the same schema. */
  readonly default?: string;
  /** The value is null when the variable is unset. */
  readonly optional?: true;
  /** Never shown, has no default, may be given as `<NAME>_FILE`. */
  readonly secret?: true;
  /** Shown in messages and documentation: never a real one. */
  readonly example?: string;
  /** Names that are read, in this order, when its own is unset. */
  readonly fallbacks?: readonly string[];
}

/** The variables of a process by the key that their values get. Groups are composed by spreading. */
export type ConfigurationDefinition = Readonly<Record<string, Variable>>;

/** The values of a definition. null only for an optional variable that is unset. */
export type Configuration<Definition extends ConfigurationDefinition> = {
  readonly [Key in keyof Definition]:
    | z.output<Definition[Key]["schema"]>
    | (Definition[Key] extends { readonly optional: true } ? null : never);
};

/** The environment of a process. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Why a process cannot start, every reason at once. The message is a list for people, without any secret. */
export class ConfigurationError extends AppError {
  /** One line each: the variable, what is wrong with it, what it should be. */
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    const count = problems.length === 1 ? "1 problem" : `${problems.length} problems`;
    const list = problems.map((problem) => `  - ${problem}`).join("\n");
    super("configuration_invalid", `The configuration has ${count}:\n${list}`, { retry: "never" });
    this.name = "ConfigurationError";
    this.problems = problems;
  }
}

/** A `SLUICE_*` variable that nothing reads, and the known name that was probably meant (null = none is near). */
export interface UnknownVariable {
  readonly name: string;
  readonly nearest: string | null;
}

/**
 * Checks a definition and gives it back with its exact types.
 * @throws AppError `configuration_definition_invalid` for a mistake of the programmer: a name twice or not in upper
 * snake case, a secret with a default, a default that its own schema refuses.
 */
export function defineConfiguration<const Definition extends ConfigurationDefinition>(
  definition: Definition,
): Definition {
  const names = new Set<string>();
  for (const variable of Object.values<Variable>(definition)) {
    const mistake = findMistake(variable, names);
    if (mistake !== null) {
      throw new AppError("configuration_definition_invalid", `${variable.name} ${mistake}`, {
        retry: "never",
      });
    }
    names.add(variable.name);
  }
  return definition;
}

/**
 * The values of all variables, frozen. An empty text counts as unset; a secret may stand in the file that
 * `<NAME>_FILE` names (one line end at its end is not part of it).
 * @throws ConfigurationError with every missing or wrong variable.
 */
export function loadConfiguration<Definition extends ConfigurationDefinition>(
  definition: Definition,
  env: Environment = process.env,
): Configuration<Definition> {
  const values: Record<string, unknown> = {};
  const problems: Problem[] = [];
  for (const [key, variable] of Object.entries<Variable>(definition)) {
    const result = readValue(variable, env);
    if (result.kind === "value") values[key] = result.value;
    else problems.push(result);
  }
  if (!isComplete(definition, values)) throw new ConfigurationError(tellEachOnce(problems, definition, env));
  return Object.freeze(values);
}

/** A key is there only with the output of its own schema, or with null where it is optional. */
function isComplete<Definition extends ConfigurationDefinition>(
  definition: Definition,
  values: object,
): values is Configuration<Definition> {
  return Object.keys(definition).every((key) => Object.hasOwn(values, key));
}

/** `SLUICE_*` variables that none of the definitions reads: probably mistyped. For a warning, not a reason to stop. */
export function findUnknownVariables(
  definitions: readonly ConfigurationDefinition[],
  env: Environment = process.env,
): readonly UnknownVariable[] {
  const known = new Set(
    definitions.flatMap((definition) => Object.values(definition)).flatMap(readableNames),
  );
  return Object.keys(env)
    .filter((name) => name.startsWith(OUR_PREFIX) && !known.has(name))
    .map((name) => ({ name, nearest: findNearestName(name, known) }));
}

/**
 * Adds the variables of a file (`NAME=value` lines) to the environment of the process; those already there win, also
 * when they are empty. @returns false when there is no such file. @throws ConfigurationError when it cannot be read.
 */
export function loadEnvironmentFile(path: string): boolean {
  try {
    loadEnvFile(path);
    return true;
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return false;
    throw new ConfigurationError([`the environment file ${path} cannot be read: ${describeError(cause)}`]);
  }
}

/** Every environment variable that may give this one its value. */
function readableNames(variable: Variable): readonly string[] {
  const names = [variable.name, ...(variable.fallbacks ?? [])];
  return variable.secret === true ? names.flatMap((name) => [name, `${name}${FILE_SUFFIX}`]) : names;
}

function findMistake(variable: Variable, earlier: ReadonlySet<string>): string | null {
  if (!/^[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*$/.test(variable.name)) return "is not in upper snake case";
  if (earlier.has(variable.name)) return "is declared twice";
  if (variable.default === undefined) return null;
  if (variable.secret === true) return "is a secret and has a default";
  if (variable.optional === true) return "is optional and has a default";
  return variable.schema.safeParse(variable.default).success ? null : "has a default that its schema refuses";
}

interface Problem {
  readonly kind: "missing" | "wrong";
  readonly variable: Variable;
  /** The variable to mend: one that `variable` falls back to, or itself. */
  readonly source: string;
  readonly text: string;
}

type Reading = { kind: "unset" } | { kind: "text"; source: string; text: string } | Problem;

function readValue(variable: Variable, env: Environment): { kind: "value"; value: unknown } | Problem {
  const reading = readText(variable, env);
  if (reading.kind === "text") return parseValue(variable, reading.source, reading.text);
  if (reading.kind !== "unset") return reading;
  if (variable.default !== undefined) return parseValue(variable, variable.name, variable.default);
  return variable.optional === true ? { kind: "value", value: null } : missing(variable);
}

function readText(variable: Variable, env: Environment): Reading {
  for (const name of [variable.name, ...(variable.fallbacks ?? [])]) {
    const text = env[name] ?? "";
    const file = variable.secret === true ? (env[`${name}${FILE_SUFFIX}`] ?? "") : "";
    if (text !== "" && file !== "") {
      return wrong(variable, name, `${name} and ${name}${FILE_SUFFIX} are both set: keep one`);
    }
    if (file !== "") return readSecretFile(variable, name, file);
    if (text !== "") return { kind: "text", source: name, text };
  }
  return { kind: "unset" };
}

function readSecretFile(variable: Variable, name: string, path: string): Reading {
  try {
    const text = readFileSync(path, "utf8").replace(/\r?\n$/, "");
    if (text !== "") return { kind: "text", source: name, text };
    return wrong(variable, name, `${name}${FILE_SUFFIX} names an empty file (${path})`);
  } catch (error) {
    return wrong(variable, name, `${name}${FILE_SUFFIX} names an unreadable file: ${describeError(error)}`);
  }
}

function parseValue(variable: Variable, source: string, text: string): ReturnType<typeof readValue> {
  const parsed = variable.schema.safeParse(text);
  if (parsed.success) return { kind: "value", value: parsed.data };
  const shown =
    variable.secret === true ? "not valid" : JSON.stringify(redactText(text).slice(0, MAX_SHOWN_VALUE));
  const reasons = parsed.error.issues.filter(({ code }) => code === "custom").map(({ message }) => message);
  const reason = reasons.length === 0 ? "" : ` (${reasons.join("; ")})`;
  return wrong(variable, source, `${source} is ${shown}${reason}: ${shouldBe(variable)}`);
}

function missing(variable: Variable): Problem {
  const others = variable.fallbacks === undefined ? "" : `, and so is ${variable.fallbacks.join(", ")}`;
  const text = `${variable.name} is missing${others}: ${shouldBe(variable)}`;
  return { kind: "missing", variable, source: variable.fallbacks?.at(-1) ?? variable.name, text };
}

function wrong(variable: Variable, source: string, text: string): Problem {
  return { kind: "wrong", variable, source, text };
}

/** One line for each variable that has to be mended, with the mistyped name where there seems to be one. */
function tellEachOnce(problems: readonly Problem[], definition: ConfigurationDefinition, env: Environment) {
  const own = new Set(problems.map(({ variable }) => variable.name));
  const known = new Set(Object.values(definition).flatMap(readableNames));
  const strangers = Object.keys(env).filter((name) => !known.has(name));
  return problems
    .filter(({ variable, source }) => source === variable.name || !own.has(source))
    .map(({ kind, variable, text }) => {
      const mistyped = kind === "missing" ? findNearestName(variable.name, strangers) : null;
      return mistyped === null ? text : `${text} (is ${mistyped} a mistyped one?)`;
    });
}

function shouldBe({ schema, description, example }: Variable): string {
  return `expected ${schema.description ?? description}${example === undefined ? "" : `, for example ${example}`}`;
}
