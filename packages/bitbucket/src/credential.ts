/** How a call says who it is. */
import { BitbucketError } from "./bitbucket-error.ts";

/**
 * An API token belongs to a person and is sent with their Atlassian e-mail as Basic: Bearer does not work for it. An
 * access token belongs to a repository, project or workspace and is sent as Bearer. App passwords are gone since
 * 2026-06-09.
 */
export type BitbucketCredential =
  | { readonly kind: "api_token"; readonly email: string; readonly token: string }
  | { readonly kind: "access_token"; readonly token: string };

const VISIBLE_ASCII = /^[\x21-\x7e]+$/;

/**
 * The `Authorization` header of a credential.
 * @throws BitbucketError `bitbucket_invalid_credential`: a line break in a token would otherwise surface as a TypeError
 * of fetch that quotes the whole header.
 */
export function authorizationHeader(credential: BitbucketCredential): string {
  if (!VISIBLE_ASCII.test(credential.token)) {
    throw invalid("the token is empty or has a character that tokens do not have: copy it again");
  }
  if (credential.kind === "access_token") return `Bearer ${credential.token}`;
  if (!/^[^\s:]+@[^\s:]+$/.test(credential.email)) {
    throw invalid("an API token is used with the e-mail address of its Atlassian account, and this is none");
  }
  return `Basic ${Buffer.from(`${credential.email}:${credential.token}`, "utf8").toString("base64")}`;
}

function invalid(message: string): BitbucketError {
  return new BitbucketError("bitbucket_invalid_credential", message, { retry: "never" });
}
