/** The endpoints that are called, by names of low cardinality (metrics) and the scope that each needs. */
import type { HttpMethod } from "./http-request.ts";

/** One endpoint of the REST API. */
export interface Endpoint {
  readonly name: string;
  /** Default: GET. */
  readonly method?: HttpMethod;
  /** What an API token needs. Scopes do not contain each other: read and write are separate. */
  readonly scope: string;
  /** What the same permission is called where access tokens are made. */
  readonly permission: string;
}

const REPOSITORY = { scope: "read:repository:bitbucket", permission: "Repositories: Read" };
const PULL_REQUEST = { scope: "read:pullrequest:bitbucket", permission: "Pull requests: Read" };
const READ_WEBHOOKS = { scope: "read:webhook:bitbucket", permission: "Webhooks: Read and write" };
const WRITE_WEBHOOKS = { scope: "write:webhook:bitbucket", permission: "Webhooks: Read and write" };

/** Scopes as https://developer.atlassian.com/cloud/bitbucket/rest names them for each endpoint. */
export const ENDPOINTS = {
  repository: { name: "repository", ...REPOSITORY },
  repositories: { name: "repositories", ...REPOSITORY },
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
  hooks: { name: "hooks", ...READ_WEBHOOKS },
  // Subscribing to an event needs the permission to read what it tells of.
  createHook: { name: "create_hook", method: "POST", ...WRITE_WEBHOOKS },
  updateHook: { name: "update_hook", method: "PUT", ...WRITE_WEBHOOKS },
  deleteHook: {
    name: "delete_hook",
    method: "DELETE",
    scope: "delete:webhook:bitbucket",
    permission: WRITE_WEBHOOKS.permission,
  },
} as const satisfies Record<string, Endpoint>;
