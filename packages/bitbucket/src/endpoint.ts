/** The endpoints that are called, by names of low cardinality (metrics) and the scope that each needs. */

/** One endpoint of the REST API. */
export interface Endpoint {
  readonly name: string;
  /** What an API token needs. Scopes do not contain each other: read and write are separate. */
  readonly scope: string;
  /** What the same permission is called where access tokens are made. */
  readonly permission: string;
}

const REPOSITORY = { scope: "read:repository:bitbucket", permission: "Repositories: Read" };
const PULL_REQUEST = { scope: "read:pullrequest:bitbucket", permission: "Pull requests: Read" };

/** Scopes as https://developer.atlassian.com/cloud/bitbucket/rest names them for each endpoint. */
export const ENDPOINTS = {
  repository: { name: "repository", ...REPOSITORY },
  commit: { name: "commit", ...REPOSITORY },
  branch: { name: "branch", ...REPOSITORY },
  diffstat: { name: "diffstat", ...REPOSITORY },
  sourceFile: { name: "source_file", ...REPOSITORY },
  pullRequest: { name: "pull_request", ...PULL_REQUEST },
  pullRequestDiffstat: {
    name: "pull_request_diffstat",
    // It redirects to a diffstat, which needs its own.
    scope: `${PULL_REQUEST.scope} and ${REPOSITORY.scope}`,
    permission: `${PULL_REQUEST.permission}, ${REPOSITORY.permission}`,
  },
  pullRequests: { name: "pull_requests", ...PULL_REQUEST },
  commitPullRequests: { name: "commit_pull_requests", ...PULL_REQUEST },
} as const satisfies Record<string, Endpoint>;
