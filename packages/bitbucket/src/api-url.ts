/** The addresses that are called: built from names without a way out, and followed only where they began. */
import { BitbucketError } from "./bitbucket-error.ts";
import { storableText } from "./storable-text.ts";

/** Which repository a call is about. A domain `RepositoryFacts` is one. */
export interface RepositoryAddress {
  /** `workspace/slug`, as last heard. */
  readonly fullName: string;
  /** Bitbucket's uuid with its braces; null when only the name is known. */
  readonly uuid: string | null;
}

/**
 * `repositories/{workspace}/{uuid}`. The uuid survives a rename of the repository, and Bitbucket takes it in place of
 * the slug. Without one in braces the slug is used: bare, a uuid would be read as a slug.
 * @throws BitbucketError `bitbucket_invalid_name`.
 */
export function repositoryPath({ fullName, uuid }: RepositoryAddress): string {
  const [workspace = "", slug = "", ...rest] = fullName.split("/");
  if (rest.length > 0) throw invalidName(fullName);
  const isBraced = uuid !== null && /^\{.+\}$/.test(uuid);
  return `repositories/${pathSegment(workspace)}/${pathSegment(isBraced ? uuid : slug)}`;
}

/**
 * A name as one segment of a path. Slashes are encoded, so that `feature/x` stays one; `.` and `..` are refused, since
 * a URL takes them for steps, encoded or not.
 * @throws BitbucketError `bitbucket_invalid_name`.
 */
export function pathSegment(name: string): string {
  if (name === "" || name === "." || name === "..") throw invalidName(name);
  return encodeURIComponent(storableText(name));
}

/** An address below the base, such as `https://api.bitbucket.org/2.0`. */
export function apiUrl(base: URL, path: string, query: Readonly<Record<string, string>> = {}): URL {
  const url = new URL(`${base.href.replace(/\/$/, "")}/${path}`);
  url.search = new URLSearchParams(query).toString();
  return url;
}

/**
 * Where `reference` leads from `from`: a `Location`, or the `next` of a page. Null unless it stays below the base on the
 * same scheme, host and port: anything else would hand the credential to a stranger.
 */
export function followUrl(base: URL, from: URL, reference: string): URL | null {
  if (!URL.canParse(reference, from.href)) return null;
  const url = new URL(reference, from);
  const isBelowBase = url.pathname.startsWith(`${base.pathname.replace(/\/$/, "")}/`);
  const isPlain = url.username === "" && url.password === "";
  return url.origin === base.origin && isBelowBase && isPlain ? url : null;
}

function invalidName(name: string): BitbucketError {
  return new BitbucketError(
    "bitbucket_invalid_name",
    `${JSON.stringify(name)} is not a name Bitbucket could know`,
    {
      retry: "never",
    },
  );
}
