/** Pull requests as Bitbucket has them now (rules 11 to 13). */
import type { PullRequestFacts } from "@sluice/domain/event";

import { getValue } from "./answer-json.ts";
import { type RepositoryAddress, repositoryPath } from "./api-url.ts";
import { ENDPOINTS } from "./endpoint.ts";
import { listItems } from "./pages.ts";
import { pullRequestSchema } from "./pull-request-payload.ts";
import type { Transport } from "./transport.ts";

/** The most that lists of pull requests allow. */
const PAGE_LENGTH = "50";

/** One pull request, with the reviews of its participants. */
export async function getPullRequest(
  transport: Transport,
  repository: RepositoryAddress,
  number: number,
): Promise<PullRequestFacts> {
  const url = transport.url(`${repositoryPath(repository)}/pullrequests/${number}`);
  return getValue(transport, ENDPOINTS.pullRequest, url, pullRequestSchema);
}

/** The open pull requests into a repository, of one source branch if asked for, from whichever repository it is in. */
export async function listOpenPullRequests(
  transport: Transport,
  repository: RepositoryAddress,
  filter: { readonly sourceBranch?: string } = {},
): Promise<readonly PullRequestFacts[]> {
  const { sourceBranch } = filter;
  const url = transport.url(`${repositoryPath(repository)}/pullrequests`, {
    state: "OPEN",
    pagelen: PAGE_LENGTH,
    ...(sourceBranch === undefined ? {} : { q: `source.branch.name=${quoteText(sourceBranch)}` }),
  });
  const endpoint = ENDPOINTS.pullRequests;
  const pullRequests = await listItems({ transport, endpoint, url, itemSchema: pullRequestSchema });
  // Asked once more of the answer: a filter that Bitbucket ignored or read otherwise must not change the outcome.
  return pullRequests.filter(
    ({ state, source }) => state === "OPEN" && (sourceBranch === undefined || source.branch === sourceBranch),
  );
}

/** A text of Bitbucket's query language (https://developer.atlassian.com/cloud/bitbucket/rest/intro/#filtering). */
function quoteText(text: string): string {
  return `"${text.replaceAll(/["\\]/g, String.raw`\$&`)}"`;
}
