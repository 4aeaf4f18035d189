/**
 * The entities that webhook bodies and REST answers share, as much of them as we read. Unknown fields are dropped and
 * unknown enum values pass. What a rule needs is required; what only informs may be null or absent, not of another type.
 */
import type { Actor, CommitFacts } from "@sluice/domain/event";
import { z } from "zod";

import { clippedText, storableText } from "./storable-text.ts";

/**
 * Names that become keys in Postgres, in UTF-16 units: at most 1,536 bytes of UTF-8, under the 2,704 that a B-tree
 * entry holds. Longer ones are refused, not clipped: a clipped name is another name.
 */
const MAX_NAME_LENGTH = 512;
const MAX_MESSAGE_LENGTH = 4096;
/** A commit's author and a display name are personal data, and evidence only. */
const MAX_PERSON_LENGTH = 256;
const MAX_WORD_LENGTH = 64;
const MAX_URL_LENGTH = 2048;

/** A name that identifies something, stored as it is. */
export const nameSchema = z.string().min(1).max(MAX_NAME_LENGTH).transform(storableText);

/**
 * A commit's hash, lower case: 40 digits in pushes, 12 in pull requests, 7 or more by the API's own pattern.
 */
export const hashSchema = z
  .string()
  .regex(/^[0-9a-fA-F]{7,40}$/, "expected a hash of 7 to 40 hexadecimal digits")
  .transform((hash) => hash.toLowerCase());

/** Any word that informs: a kind, a date. Null when not sent. */
const wordSchema = optionalText(MAX_WORD_LENGTH);

/** The identity and the present name of a repository. The uuid is not always hexadecimal, so no form is asked of it. */
export const repositorySchema = z
  .object({
    uuid: nameSchema,
    full_name: nameSchema.refine((name) => /^[^/]+\/[^/]+$/.test(name), "expected workspace/slug"),
  })
  .transform(({ uuid, full_name }) => ({ uuid, fullName: full_name }));

/** Who acted. Every field may be missing: deleted accounts and token actors lack some. Null when not sent. */
export const actorSchema = z
  .object({
    uuid: optionalText(MAX_NAME_LENGTH),
    display_name: optionalText(MAX_PERSON_LENGTH),
    type: wordSchema,
  })
  .nullish()
  .transform((actor): Actor | null =>
    actor ? { uuid: actor.uuid, displayName: actor.display_name, kind: actor.type } : null,
  );

/** The page of something on bitbucket.org; null when there is none that a browser may be sent to. */
export const pageLinkSchema = z
  .object({ html: z.object({ href: z.string().nullish() }).nullish() })
  .nullish()
  .transform((links): string | null => {
    const href = links?.html?.href;
    return href?.startsWith("https://") && href.length <= MAX_URL_LENGTH ? storableText(href) : null;
  });

/** A commit as `target` of a ref, or as an answer of its own. */
export const commitSchema = z
  .object({
    hash: hashSchema,
    message: optionalText(MAX_MESSAGE_LENGTH),
    author: z.object({ raw: optionalText(MAX_PERSON_LENGTH) }).nullish(),
    date: wordSchema,
    links: pageLinkSchema,
  })
  .transform((commit): CommitFacts => ({
    sha: commit.hash,
    message: commit.message ?? "",
    author: commit.author?.raw ?? null,
    date: commit.date,
    url: commit.links,
  }));

function optionalText(maxLength: number) {
  return z
    .string()
    .nullish()
    .transform((text): string | null =>
      text === undefined || text === null ? null : clippedText(text, maxLength),
    );
}
