/** The shape of a `repo:push` body, as much of it as the rules need. */
import { z } from "zod";

import { actorSchema, commitSchema, hashSchema, nameSchema, repositorySchema } from "./bitbucket-schema.ts";

/** A push of more refs than a body of a few megabytes could hold is no push. */
const MAX_CHANGES = 10_000;

/**
 * A push before its changes are looked at. They are parsed one by one, so that a body of thousands of bad ones costs
 * one failure and not thousands.
 */
export const pushSchema = z.object({
  repository: repositorySchema,
  actor: actorSchema,
  push: z.object({ changes: z.array(z.unknown()).max(MAX_CHANGES) }),
});

const refShape = { type: nameSchema, name: nameSchema };
const forced = z
  .boolean()
  .nullish()
  .transform((value) => value ?? false);

/**
 * The commit that a ref left, null when it cannot be used: real bodies hold hashes that are not hexadecimal, and `{}`.
 * No rule needs it, so nothing about it makes a delivery fail.
 */
const leftSha = z
  .object({ hash: hashSchema })
  .transform((target) => target.hash)
  .nullable()
  .catch(null);

/** A change that has a `new`: a ref that was created or moved. */
export const movedRefSchema = z.object({
  old: z.object({ target: leftSha }).nullish(),
  new: z.object({ ...refShape, target: commitSchema }),
  forced,
});

/** A change without a `new`: a ref that was deleted. One without an `old` too is no change at all. */
export const deletedRefSchema = z.object({ old: z.object({ ...refShape, target: leftSha }), forced });

/** Tells a deletion from the rest: null and absent are the same, as peers' trimmed bodies leave the key out. */
export const changeKindSchema = z.object({ new: z.unknown().optional() });
