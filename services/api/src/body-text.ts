import { z } from "zod";

/** Half a surrogate pair, which JSON can spell and UTF-8 cannot encode: with the `u` flag a whole pair is one code point. */
const LONE_SURROGATE = /\p{Surrogate}/u;

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
