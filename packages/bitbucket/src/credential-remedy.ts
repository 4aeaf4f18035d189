/** What to click when Bitbucket says no to a credential. */
import { assertNever } from "@sluice/domain/assert-never";

import type { BitbucketError } from "./bitbucket-error.ts";
import type { BitbucketCredential } from "./credential.ts";
import type { Endpoint } from "./endpoint.ts";

/** What a person does about a failure of `endpoint`, with a credential of this kind. */
export function remedyFor(
  error: BitbucketError,
  { kind, endpoint }: { readonly kind: BitbucketCredential["kind"]; readonly endpoint: Endpoint },
): string {
  switch (error.code) {
    case "bitbucket_unauthorized":
      return `Make a new token and save it here. ${howToMake(kind, endpoint)}`;
    case "bitbucket_forbidden":
      return `What a token may do cannot be changed later: make a new one and save it here. ${howToMake(kind, endpoint)} If it has that already, ${howToGiveAccess(kind)}.`;
    case "bitbucket_not_found":
      return `Check the name (workspace/slug, as in the address on bitbucket.org). If it is right, ${howToGiveAccess(kind)}.`;
    case "bitbucket_rate_limited":
    case "bitbucket_budget_exhausted":
      return "Check again later: the calls of this credential are used up for now.";
    case "bitbucket_redirect_refused":
      return "Check the name: the repository may have been moved or renamed. If it is right, BITBUCKET_API_URL may be wrong.";
    default:
      return "Check again later. If that does not help, see https://bitbucket.status.atlassian.com, the network and BITBUCKET_API_URL.";
  }
}

function howToMake(kind: BitbucketCredential["kind"], { scope, permission }: Endpoint): string {
  switch (kind) {
    case "api_token":
      return `Atlassian account settings > Security > Create API token with scopes > Bitbucket, with ${scope}, and the account's mail address beside it.`;
    case "access_token":
      return `In Bitbucket, the settings of the repository, project or workspace > Access tokens > Create, with "${permission}".`;
    default:
      return assertNever(kind);
  }
}

function howToGiveAccess(kind: BitbucketCredential["kind"]): string {
  return kind === "api_token"
    ? "let the token's owner into the repository: Repository settings > Repository permissions"
    : "use an access token of that repository, its project or its workspace";
}
