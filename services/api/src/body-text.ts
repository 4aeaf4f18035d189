import { labelProblem, MAX_NAME, nameProblem } from "@sluice/domain/target-values";
import { z } from "zod";

/** Half a surrogate pair, which JSON can spell and UTF-8 cannot encode: with the `u` flag a whole pair is one code point. */
const LONE_SURROGATE = /\p{Surrogate}/u;

/** A time with nine digits of a second. */
const MAX_TIME_LENGTH = "2026-01-01T00:00:00.000000000Z".length;

/** Text of a body, of 1 to `max` UTF-16 units, that Postgres can hold. */
export function text(max: number) {
  return storable(z.string().min(1).max(max));
}

/** Refuses what Postgres cannot hold: NUL, and half a surrogate pair. */
export function storable<Schema extends z.ZodType<string>>(schema: Schema): Schema {
  return schema
    .refine((value) => !value.includes("\0"), { error: "holds a NUL character" })
    .refine((value) => !LONE_SURROGATE.test(value), { error: "holds half a surrogate pair" });
}

/** A time in UTC, 1970 or later: years and fractions that Postgres cannot read are refused. */
export function storableTime() {
  return (
    z.iso
      .datetime()
      .max(MAX_TIME_LENGTH)
      // What is no time at all is told above.
      .refine((time) => !(Date.parse(time) < 0), { error: "is before 1970" })
  );
}

/** Text of 1 to `max` UTF-16 units, refused with what `problemOf` says is wrong with it. */
export function checkedText(max: number, problemOf: (text: string) => string | null) {
  return withoutProblem(z.string().min(1).max(max), problemOf);
}

/** What a thing is known by. Letters with marks are one character each, however they were sent. */
export function entryName() {
  return checkedText(MAX_NAME, nameProblem).normalize("NFC");
}

/** A label, spelt as names are. */
export function entryLabel() {
  return checkedText(MAX_NAME, labelProblem).normalize("NFC");
}

/** Refuses values with what `problemOf` says is wrong with them. */
export function withoutProblem<Schema extends z.ZodType>(
  schema: Schema,
  problemOf: (value: z.output<Schema>) => string | null,
): Schema {
  return schema.superRefine((value, context) => {
    const problem = problemOf(value);
    if (problem !== null) context.addIssue({ code: "custom", message: problem });
  });
}
