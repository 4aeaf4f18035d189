/** Builders for tests of what a pull request means. */
import type { PullRequestEvent, PullRequestFacts } from "./event.ts";
import type { PullRequestState } from "./pull-request.ts";
import type { Target } from "./target.ts";

export const HEAD_SHA = "1f0e9d8c7b6a5f4e3d2c1b0a9f8e7d6c5b4a3f2e";
export const OTHER_SHA = "a0b1c2d3e4f5a6b7c8d9e0f1a2b3c4d5e6f7a8b9";

/** Pull request 12 of `acme/infra`, from its own branch `feature/x` to `main`, open. */
export function aPullRequest(changes: Partial<PullRequestFacts> = {}): PullRequestFacts {
  return {
    number: 12,
    title: "Widen the network",
    state: "OPEN",
    isDraft: false,
    author: { uuid: "{ada}", displayName: "Ada", kind: "user" },
    url: "https://bitbucket.org/acme/infra/pull-requests/12",
    createdOn: "2026-11-24T09:00:00.000000+00:00",
    updatedOn: "2026-11-24T09:30:00.123456+00:00",
    source: {
      repository: { uuid: "{infra}", fullName: "acme/infra" },
      branch: "feature/x",
      sha: HEAD_SHA.slice(0, 12),
    },
    destination: { branch: "main", sha: OTHER_SHA.slice(0, 12) },
    mergeSha: null,
    reviews: [],
    ...changes,
  };
}

/** The pull request, opened. */
export function aPullRequestEvent(changes: Partial<PullRequestEvent> = {}): PullRequestEvent {
  return {
    kind: "pull_request",
    action: "opened",
    repository: { uuid: "{infra}", fullName: "acme/infra" },
    actor: { uuid: "{ada}", displayName: "Ada", kind: "user" },
    pullRequest: aPullRequest(),
    comment: null,
    ...changes,
  };
}

/** The pull request, as it is stored once its head is known in full. */
export function aPullRequestState(changes: Partial<PullRequestState> = {}): PullRequestState {
  const { source, ...facts } = aPullRequest();
  return { ...facts, source: { ...source, sha: HEAD_SHA }, reviews: [], headArrival: 1, ...changes };
}

/** A stack of `network/`, tracking `main`. */
export function aTarget(changes: Partial<Target> = {}): Target {
  return {
    id: "0199aaaa-0000-7000-8000-000000000004",
    kind: "stack",
    name: "network",
    state: "active",
    trackedBranch: "main",
    projectRoot: "network",
    projectGlobs: [],
    onUnknownFiles: null,
    allowedForkWorkspaces: [],
    deployers: [],
    moduleVersionSource: null,
    ...changes,
  };
}
