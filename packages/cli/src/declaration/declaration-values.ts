/** What the values of `sluice.yaml` may be: names, branches, globs, references to secrets. */
import {
  ACCOUNT_UUID,
  ACCOUNT_UUID_RULE,
  branchProblem,
  globProblem,
  labelProblem,
  lineProblem,
  MAX_BRANCH,
  MAX_NAME,
  MAX_PATH,
  MAX_REPOSITORY,
  metadataProblem,
  nameProblem,
  projectRootProblem,
  REPOSITORY_NAME,
  REPOSITORY_NAME_RULE,
  WORKSPACE_NAME,
  WORKSPACE_NAME_RULE,
} from "@sluice/domain/target-values";
import { z } from "zod";

/** As of the API: what was stored by one way can be written by the other. */
const MAX_PROSE_BYTES = 16 * 1024;
const DURATION = /^(\d{1,4})(s|m|h|d)$/;
const SECRET_REFERENCE = /^\$\{([A-Za-z_][A-Za-z0-9_]*)\}$/;

/** Text of one line, not empty. */
export const printable = (max: number) => line(max, lineProblem);

/** What an entry is known by. Letters with marks are one character each, however the file spells them. */
export const name = line(MAX_NAME, nameProblem).normalize("NFC");

/** A label. */
export const label = line(MAX_NAME, labelProblem).normalize("NFC");

/** A secret, by the variable that holds it. */
export const secret = z
  .string()
  .regex(SECRET_REFERENCE, {
    error:
      "must be a reference such as ${NAME} to an environment variable: a secret does not belong in a file",
  })
  .describe("`${NAME}`, read from the environment");

/** `workspace/slug`. */
export const repository = atMost(MAX_REPOSITORY).regex(REPOSITORY_NAME, { error: REPOSITORY_NAME_RULE });

/** A branch. */
export const branch = line(MAX_BRANCH, branchProblem);

/** A folder of a repository; empty: all of it. */
export const projectRoot = withoutProblem(atMost(MAX_PATH), projectRootProblem);

/** A glob that compiles. */
export const glob = line(MAX_PATH, globProblem);

/** Whatever JSON can say, up to a size. */
export const metadata = withoutProblem(z.record(z.string(), z.json()), metadataProblem);

/** Text of several lines, or none. */
export const prose = z
  .string()
  .refine((value) => Buffer.byteLength(value) <= MAX_PROSE_BYTES, {
    error: `is larger than ${String(MAX_PROSE_BYTES)} bytes`,
  })
  .refine((value) => !value.includes("\0"), { error: "holds a NUL character" });

/** The mail address of an account, or the variable that holds it. */
export const mailAddress = printable(320).regex(/^\$\{[A-Za-z_][A-Za-z0-9_]*\}$|^[^\s@:]+@[^\s@:]+$/, {
  error: "is not a mail address",
});

/** A workspace. */
export const workspace = z.string().regex(WORKSPACE_NAME, { error: WORKSPACE_NAME_RULE });

/** A Bitbucket account. */
export const accountUuid = z.string().regex(ACCOUNT_UUID, { error: ACCOUNT_UUID_RULE });

/** `90m`, `24h` and the like. */
export const duration = z.string().regex(DURATION, { error: "is not a time such as 90m, 24h or 7d" });

/** A day, at whose beginning in UTC something happens, or a time with its offset. Years that Postgres and RFC 3339 share. */
export const time = z.string().refine((value) => /^2\d{3}-/.test(value) && (isDay(value) || isTime(value)), {
  error: "is neither a day such as 2027-01-31 nor a time such as 2027-01-31T12:00:00Z",
});

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

/** RFC 3339 in UTC of a `time`; the schema has checked its form. */
export function toUtc(text: string): string {
  return new Date(text).toISOString();
}

function isDay(text: string): boolean {
  return z.iso.date().safeParse(text).success;
}

function isTime(text: string): boolean {
  return z.iso.datetime({ offset: true }).safeParse(text).success;
}

/** Not empty, and without the problem. */
function line(max: number, problemOf: (value: string) => string | null) {
  return withoutProblem(atMost(max).min(1, { error: "is empty" }), problemOf);
}

function atMost(max: number) {
  return z.string().max(max, { error: `is longer than ${String(max)} characters` });
}

function withoutProblem<Schema extends z.ZodType>(
  schema: Schema,
  problemOf: (value: z.output<Schema>) => string | null,
): Schema {
  return schema.superRefine((value, context) => {
    const problem = problemOf(value);
    if (problem !== null) context.addIssue({ code: "custom", message: problem });
  });
}
