/** What the values of `sluice.yaml` may be: names, branches, globs, references to secrets. */
import { compileGlob } from "@sluice/domain/glob";
import { GlobInvalidError } from "@sluice/domain/glob-steps";
import { z } from "zod";

/** The most that metadata may hold, in bytes of the JSON that Postgres keeps. */
const MAX_METADATA_BYTES = 16_384;
const MAX_NAME = 100;
const MAX_TEXT = 4_000;
const UUID = /^\{?[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\}?$/i;
const DURATION = /^(\d{1,4})(s|m|h|d)$/;
const SECRET_REFERENCE = /^\$\{([A-Za-z_][A-Za-z0-9_]*)\}$/;

/** Text of one line, not empty. */
export const printable = (max: number) =>
  z
    .string()
    .min(1, { error: "is empty" })
    .max(max, { error: `is longer than ${String(max)} characters` })
    // Postgres has no NUL, and other control characters only hide what a name says.
    .refine((value) => !/\p{Cc}/u.test(value), { error: "holds a control character" });

/** What an entry is known by. */
export const name = printable(MAX_NAME).refine((value) => value.trim() === value, {
  error: "begins or ends with a blank",
});

/** A label. */
export const label = printable(MAX_NAME);

/** A secret, by the variable that holds it. */
export const secret = z
  .string()
  .regex(SECRET_REFERENCE, {
    error:
      "must be a reference such as ${NAME} to an environment variable: a secret does not belong in a file",
  })
  .describe("`${NAME}`, read from the environment");

/** `workspace/slug`. */
export const repository = z
  .string()
  .regex(/^[A-Za-z0-9_-][A-Za-z0-9_.-]*\/[A-Za-z0-9_.-]*[A-Za-z0-9_-][A-Za-z0-9_.-]*$/, {
    error: "is not the name of a repository: write workspace/slug, as in its address on bitbucket.org",
  });

/** A branch, as git allows it (git-check-ref-format(1)). */
export const branch = printable(255).refine(
  (value) =>
    !/[ ~^:?*[\\]|\.\.|@\{|\/\/|^[-/]|[/.]$|^@$/.test(value) &&
    !value.split("/").some((part) => part.startsWith(".") || part.endsWith(".lock")) &&
    !value.startsWith("refs/"),
  { error: "is not the name of a branch: write it without refs/heads/, blanks or any of ~ ^ : ? * [ \\" },
);

/** A folder of a repository; empty: all of it. */
export const projectRoot = z
  .string()
  .max(1_000, { error: "is longer than 1000 characters" })
  .refine((value) => isPlainPath(value), {
    error: "is not a folder as seen from the top of the repository: write it without . or .. and with /",
  });

/** A glob that compiles. */
export const glob = printable(1_000).superRefine((value, context) => {
  if (value.startsWith("!")) {
    context.addIssue({ code: "custom", message: "begins with !, and a glob cannot exclude" });
  } else if (!isPlainPath(value)) {
    context.addIssue({ code: "custom", message: "is not a path as seen from the top of the repository" });
  } else {
    const problem = globProblem(value);
    if (problem !== null) context.addIssue({ code: "custom", message: `is not a glob: ${problem}` });
  }
});

/** Whatever JSON can say, up to a size. */
export const metadata = z
  .record(z.string(), z.json())
  .refine((value) => !JSON.stringify(value).includes("\\u0000"), { error: "holds a NUL character" })
  .refine((value) => jsonbBytes(value) <= MAX_METADATA_BYTES, {
    error: `is larger than ${String(MAX_METADATA_BYTES)} bytes`,
  });

/** Text of several lines, or none. */
export const prose = z
  .string()
  .max(MAX_TEXT, { error: `is longer than ${String(MAX_TEXT)} characters` })
  .refine((value) => !value.includes("\0"), { error: "holds a NUL character" });

/** The mail address of an account, or the variable that holds it. */
export const mailAddress = printable(320).regex(/^\$\{[A-Za-z_][A-Za-z0-9_]*\}$|^[^\s@:]+@[^\s@:]+$/, {
  error: "is not a mail address",
});

/** A workspace. */
export const workspace = z.string().regex(/^[A-Za-z0-9_.-]+$/, { error: "is not the name of a workspace" });

/** A Bitbucket account. */
export const accountUuid = z.string().regex(UUID, { error: "is not the uuid of a Bitbucket account" });

/** `90m`, `24h` and the like. */
export const duration = z.string().regex(DURATION, { error: "is not a time such as 90m, 24h or 7d" });

/** The variable that `${NAME}` refers to; null for any other text. */
export function referredVariable(text: string): string | null {
  return SECRET_REFERENCE.exec(text)?.[1] ?? null;
}

/** Milliseconds of `90m`, `24h` and the like; the schema has checked its form. */
export function durationMs(text: string): number {
  const [, count = "0", unit = "s"] = DURATION.exec(text) ?? [];
  const unitMs = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }[unit] ?? 0;
  return Number(count) * unitMs;
}

/** Without slashes around it, every part a name: what a path of a changed file can be. */
function isPlainPath(path: string): boolean {
  const trimmed = path.replace(/^\/+|\/+$/g, "");
  if (trimmed === "") return true;
  return !/\p{Cc}/u.test(trimmed) && !trimmed.split("/").some((part) => ["", ".", ".."].includes(part));
}

/** What is wrong with a glob; null for one that compiles. */
function globProblem(pattern: string): string | null {
  try {
    compileGlob(pattern);
    return null;
  } catch (error) {
    if (error instanceof GlobInvalidError) return error.problem;
    throw error;
  }
}

/** The bytes of a value as Postgres writes `jsonb`: a blank after each comma and colon. */
function jsonbBytes(value: unknown): number {
  if (Array.isArray(value)) {
    return (
      2 + value.reduce((sum: number, item) => sum + jsonbBytes(item), 0) + 2 * Math.max(value.length - 1, 0)
    );
  }
  if (typeof value === "object" && value !== null) {
    const entries = Object.entries(value);
    const sum = entries.reduce((total, [key, item]) => total + jsonbBytes(key) + 2 + jsonbBytes(item), 0);
    return 2 + sum + 2 * Math.max(entries.length - 1, 0);
  }
  return Buffer.byteLength(JSON.stringify(value));
}
