/** Says in the words of an operator what a schema found wrong. */
import { findNearestName } from "@sluice/runtime/nearest-name";
import type { z } from "zod";

import type { LocatedYaml, Path } from "./located-yaml.ts";
import type { Problem } from "./problem.ts";

/** What a schema found wrong, at its place in the file. */
export interface ShapeProblem {
  readonly path: Path;
  readonly at: "key" | "value";
  readonly message: string;
}

const MAX_SHOWN_VALUE = 60;
/** Whatever somebody wrote here by mistake may be a secret. */
const SECRET_KEYS: ReadonlySet<PropertyKey> = new Set(["token", "webhook_secret", "previous_webhook_secret"]);
const TYPE_NAMES: Readonly<Record<string, string>> = {
  string: "text",
  number: "a number",
  boolean: "true or false",
  object: "a map",
};
const EXPECTED: Readonly<Record<string, string>> = {
  string: "text",
  boolean: "true or false",
  array: "a list",
  object: "a map",
  record: "a map",
  int: "a whole number",
  number: "a number",
};

/** The schema's findings about `value`. `known` has the keys that may stand at a path, for mistyped ones. */
export function describeIssues(
  error: z.ZodError,
  value: unknown,
  known: (path: Path) => readonly string[],
): ShapeProblem[] {
  return error.issues.flatMap((issue) => describeIssue(issue, value, known));
}

/** Puts shape problems at their places. */
export function placeProblems(
  document: LocatedYaml,
  base: Path,
  problems: readonly ShapeProblem[],
): Problem[] {
  return problems.map(({ path, at, message }) => ({ ...document.locate([...base, ...path], at), message }));
}

function describeIssue(
  issue: z.core.$ZodIssue,
  value: unknown,
  known: (path: Path) => readonly string[],
): ShapeProblem[] {
  const { path } = issue;
  const key = String(path.at(-1) ?? "");
  const actual = valueAt(value, path);
  const problem = (message: string): ShapeProblem[] => [{ path, at: "value", message }];
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((unknown) => ({
      path: [...path, unknown],
      at: "key",
      message: describeUnknownKey(unknown, known(path)),
    }));
  }
  if (key === "kind" && actual === "app_password") {
    return problem(
      "app passwords are refused: Bitbucket has removed them; make an API token and use api_token",
    );
  }
  if (issue.code === "invalid_union" && issue.discriminator !== undefined) {
    const found = actual === undefined ? "is missing" : `${show(actual)} is not known`;
    return problem(`${key} ${found}: write api_token or access_token`);
  }
  if (actual === undefined) return problem(`${key} is missing`);
  switch (issue.code) {
    case "invalid_type":
      return problem(describeWrongType(issue.expected, path, actual));
    case "invalid_value":
      return problem(`${subject(path, actual)} is not one of ${issue.values.map(String).join(", ")}`);
    case "too_small":
      return problem(
        issue.origin === "string"
          ? `${key} ${issue.message}`
          : `${key} is less than ${String(issue.minimum)}`,
      );
    case "too_big":
      return problem(
        issue.origin === "string"
          ? `${key} ${issue.message}`
          : `${key} ${issue.origin === "array" ? "has" : "is"} more than ${String(issue.maximum)}`,
      );
    case "invalid_union":
      return problem(`${key} holds something that JSON cannot say`);
    default:
      return problem(`${subject(path, actual)} ${issue.message}`);
  }
}

/** The message for a key that nothing reads here, with the one that was probably meant. */
export function describeUnknownKey(key: string, known: readonly string[]): string {
  if (key === "version_from") return "version_from is a key of modules: a stack has no version";
  const nearest = findNearestName(key, known);
  return `unknown key ${key}${nearest === null ? ` (there are ${known.join(", ")})` : ` (did you mean ${nearest}?)`}`;
}

function describeWrongType(expected: string, path: Path, actual: unknown): string {
  const wanted = EXPECTED[expected] ?? expected;
  if (
    expected === "string" &&
    (typeof actual === "number" || typeof actual === "boolean") &&
    !isSecret(path)
  ) {
    return `${describeKey(path)} must be text: put ${String(actual)} between quotes`;
  }
  return `${describeKey(path)} must be ${wanted}, and is ${nameOfType(actual)}`;
}

function subject(path: Path, actual: unknown): string {
  if (isSecret(path) || typeof actual === "object") return describeKey(path);
  return `${describeKey(path)} ${show(actual)}`;
}

/** An item of a list is called by the list's key. */
function describeKey(path: Path): string {
  return path.findLast((part) => typeof part === "string") ?? "the entry";
}

function isSecret(path: Path): boolean {
  return path.some((part) => SECRET_KEYS.has(part));
}

function show(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length > MAX_SHOWN_VALUE ? `${text.slice(0, MAX_SHOWN_VALUE)}…` : text;
}

function nameOfType(value: unknown): string {
  if (value === null) return "empty";
  if (Array.isArray(value)) return "a list";
  return TYPE_NAMES[typeof value] ?? "something else";
}

function valueAt(value: unknown, path: Path): unknown {
  let current = value;
  for (const key of path) {
    if (typeof current !== "object" || current === null) return undefined;
    current = Reflect.get(current, key);
  }
  return current;
}
