/** Who may call the API, and for what. */
import type { Account } from "./account.ts";
import { errorResponse, unauthorizedResponse } from "./rest-error.ts";

/** OAuth names; an API token's scopes are named `read:<scope>:bitbucket`. */
export type Scope = "repository" | "pullrequest" | "webhook" | "account";

interface Grant {
  /** Default: all. */
  readonly scopes?: readonly Scope[];
  /** `workspace/slug` of what it can see; anything else is 404. Default: everything. */
  readonly repositories?: readonly string[];
  /** Who it acts as; default: the owner of the repository. */
  readonly account?: Account;
}

/** An access token goes as Bearer, an API token as Basic with its owner's mail: never the other way round. */
export type Credential = Grant &
  (
    | { readonly kind: "access_token"; readonly token: string }
    | { readonly kind: "api_token"; readonly email: string; readonly token: string }
  );

/** What a server accepts that was given no list. */
export const DEFAULT_CREDENTIALS: readonly Credential[] = [
  { kind: "access_token", token: "simulated-access-token" },
  { kind: "api_token", email: "sluice@example.com", token: "simulated-api-token" },
];

/** The credential that the header carries, or the 401 that Bitbucket answers. */
export function authenticate(
  header: string | undefined,
  credentials: readonly Credential[],
): Credential | Response {
  if (header === undefined) return unauthorizedResponse(null);
  const credential = credentials.find((one) => header === authorizationOf(one));
  return credential ?? unauthorizedResponse("Token is invalid or not supported for this endpoint.");
}

/** null when the credential has the scope, else the 403 that says which one is missing. */
export function refuseScope(credential: Credential, scope: Scope): Response | null {
  if (credential.scopes === undefined || credential.scopes.includes(scope)) return null;
  const name = (one: Scope): string => (credential.kind === "api_token" ? `read:${one}:bitbucket` : one);
  const detail = { required: [name(scope)], granted: credential.scopes.map(name) };
  return errorResponse(403, "Your credentials lack one or more required privilege scopes.", { detail });
}

/** The `Authorization` header of a credential. */
export function authorizationOf(credential: Credential): string {
  if (credential.kind === "access_token") return `Bearer ${credential.token}`;
  return `Basic ${Buffer.from(`${credential.email}:${credential.token}`).toString("base64")}`;
}
