/** The part of a webhook endpoint that names an integration. */

const MAX_LENGTH = 63;

/**
 * The slug of an integration's name: lower case, ASCII letters and digits, single dashes between (rule 1). The same
 * name always gives the same slug. Null when the name has no letter or digit that ASCII can say.
 */
export function integrationSlug(name: string): string | null {
  const slug = name
    // Letters with marks become the letter and its marks, and the marks go: "Café" is "cafe".
    .normalize("NFKD")
    .replace(/\p{M}+/gu, "")
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .slice(0, MAX_LENGTH)
    .replace(/^-+|-+$/g, "");
  return slug === "" ? null : slug;
}
