/** Who may call the API, and for what. */
import type { Account } from "./account.ts";
import { errorResponse, unauthorizedResponse } from "./rest-error.ts";

/** Reading, changing and deleting are scopes of their own for API tokens; access tokens have one for all. */
export type Access = "read" | "write" | "delete";

/** OAuth names; an API token's scopes are named `read:<scope>:bitbucket`. */
export type Scope = "repository" | "pullrequest" | "webhook" | "account";

const ALL_SCOPES: readonly Scope[] = ["repository", "pullrequest", "webhook", "account"];

interface Grant {
  /** Default: all. */
  readonly scopes?: readonly Scope[];
  /** Of an API token: whether it has only those of its scopes that read. Default: false. */
  readonly readsOnly?: boolean;
  /** Whether it may look at and change webhooks of workspaces. Default: where it can see every repository. */
  readonly isWorkspaceAdmin?: boolean;
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
export function refuseScope(credential: Credential, scope: Scope, access: Access = "read"): Response | null {
  const { kind, scopes = ALL_SCOPES, readsOnly = false } = credential;
  const isBarred = kind === "api_token" && readsOnly && access !== "read";
  if (scopes.includes(scope) && !isBarred) return null;
  const name = (one: Scope, how: Access): string => (kind === "api_token" ? `${how}:${one}:bitbucket` : one);
  const granted = scopes.map((one) => name(one, "read"));
  const detail = { required: [name(scope, access)], granted };
  return errorResponse(403, "Your credentials lack one or more required privilege scopes.", { detail });
}

/** The `Authorization` header of a credential. */
export function authorizationOf(credential: Credential): string {
  if (credential.kind === "access_token") return `Bearer ${credential.token}`;
  return `Basic ${Buffer.from(`${credential.email}:${credential.token}`).toString("base64")}`;
}
