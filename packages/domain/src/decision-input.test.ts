import { describe, expect, test } from "vitest";

import { toDecisionInput, type DecisionContext } from "./decision-input.ts";
import type { PullRequestAction, PullRequestFacts, PushEvent } from "./event.ts";
import {
  aPullRequest,
  aPullRequestEvent,
  aPullRequestState,
  aTarget,
  HEAD_SHA,
  OTHER_SHA,
} from "./test-pull-request.ts";

const SPACE = { id: "s", name: "root" };

const aContext = (changes: Partial<DecisionContext> = {}): DecisionContext => ({
  target: { externalId: null, labels: ["eu"], space: SPACE, trackedSha: null, currentVersion: null },
  integration: { id: "i", name: "Acme", description: "", labels: [], space: null },
  inProgress: [],
  files: { kind: "listed", paths: ["network/a", "db/b"], spec: "1f0e..a0b1" },
  pullRequest: null,
  ...changes,
});

const aPush = (changes: Partial<PushEvent> = {}): PushEvent => ({
  kind: "push",
  repository: { uuid: "{infra}", fullName: "acme/infra" },
  actor: { uuid: "{bob}", displayName: "Bob", kind: "user" },
  refKind: "branch",
  refName: "main",
  change: "updated",
  oldSha: OTHER_SHA,
  newSha: HEAD_SHA,
  forced: false,
  commit: null,
  ...changes,
});

const ofPullRequest = (changes: Partial<PullRequestFacts> = {}, action: PullRequestAction = "opened") =>
  toDecisionInput(
    { ...aPullRequestEvent({ pullRequest: aPullRequest(changes) }), action },
    aTarget(),
    aContext(),
  );

const fork = {
  ...aPullRequest().source,
  repository: { uuid: "{fork}", fullName: "Acme-Labs/infra" },
  branch: "main",
};

describe("a push", () => {
  test("names its branch or its tag, never both, and no pull request", () => {
    const input = toDecisionInput(aPush(), aTarget(), aContext());
    expect(input.push).toMatchObject({ branch: "main", tag: "", hash: HEAD_SHA, pusher: "{bob}" });
    expect(input.push).toMatchObject({ affected_files: ["network/a", "db/b"], affected_files_known: true });
    expect(input.pull_request).toBeNull();
    const ofTag = toDecisionInput(aPush({ refKind: "tag", refName: "v1" }), aTarget(), aContext());
    expect(ofTag.push).toMatchObject({ branch: "", tag: "v1" });
  });

  test.each([
    ["were not asked for", null],
    ["are all of them, and not listed", { kind: "all", because: "main is new" }],
    ["cannot be told", { kind: "unknown", because: "the diffstat timed out" }],
  ] as const)("says that its files are not known when they %s (rule 17)", (_, files) => {
    const { push } = toDecisionInput(aPush(), aTarget(), aContext({ files }));
    expect(push).toMatchObject({ affected_files: [], affected_files_known: false });
  });
});

describe("a pull request", () => {
  test("has its files in its diff, and none that were pushed", () => {
    const { push, pull_request } = ofPullRequest();
    expect(pull_request).toMatchObject({ diff: ["network/a", "db/b"], diff_known: true });
    expect(push).toMatchObject({ branch: "feature/x", affected_files: [], affected_files_known: false });
  });

  test("is what is stored now, where that is more than the event told (rule 13)", () => {
    const reviews = [{ userUuid: "{bob}", state: "approved", participatedOn: null }] as const;
    const pullRequest = aPullRequestState({ reviews, state: "DECLINED" });
    const input = toDecisionInput(aPullRequestEvent(), aTarget(), aContext({ pullRequest }));
    expect(input.pull_request).toMatchObject({ approved: true, closed: true, head: { hash: HEAD_SHA } });
    expect(input.push.hash).toBe(HEAD_SHA);
  });

  test("is approved by somebody else than its author alone (rule 13)", () => {
    const by = (userUuid: string) => [{ userUuid, state: "approved", participatedOn: null }] as const;
    expect(ofPullRequest({ reviews: by("{ada}") }).pull_request?.approved).toBe(false);
    expect(ofPullRequest({ reviews: by("{bob}") }).pull_request?.approved).toBe(true);
    expect(ofPullRequest({ reviews: null }).pull_request?.approved).toBe(false);
  });

  test("is not said to be mergeable or undiverged by anything that Bitbucket does not tell (rule 13)", () => {
    expect(ofPullRequest().pull_request).toMatchObject({ mergeable: "unknown", undiverged: "unknown" });
    const declined = ofPullRequest({ state: "DECLINED" }, "closed");
    expect(declined.pull_request).toMatchObject({ mergeable: "unknown", undiverged: "unknown" });
    const merged = ofPullRequest({ state: "MERGED", mergeSha: OTHER_SHA }, "merged");
    expect(merged.pull_request).toMatchObject({ mergeable: true, undiverged: "unknown" });
  });

  test("that is merged has the merge for its push, on the branch that it was merged into (rule 22)", () => {
    const { push } = ofPullRequest({ state: "MERGED", mergeSha: OTHER_SHA, source: fork }, "merged");
    expect(push).toMatchObject({ branch: "main", hash: OTHER_SHA });
  });

  test("of a fork never has a branch of ours for its push, whatever its name (rule 11)", () => {
    const { push, pull_request } = ofPullRequest({ source: fork });
    expect(push.branch).toBe("");
    expect(pull_request).toMatchObject({
      is_fork: true,
      head_owner: "Acme-Labs",
      head: { repository: "Acme-Labs/infra", branch: "main" },
    });
  });

  test("of a fork that is gone has no owner, and is a fork's all the same (rule 21)", () => {
    const { push, pull_request } = ofPullRequest({ source: { ...fork, repository: null, sha: null } });
    expect(push).toMatchObject({ branch: "", hash: null });
    expect(pull_request).toMatchObject({ is_fork: true, head_owner: null, head: { repository: null } });
  });

  test("names people by their uuid, which nobody can choose", () => {
    expect(JSON.stringify(ofPullRequest())).not.toContain("Ada");
    expect(ofPullRequest().pull_request).toMatchObject({ action_initiator: "{ada}", author: "{ada}" });
  });
});

test("a target is a stack or a module, with its paths as they are compared (rule 18)", () => {
  const changes = { projectRoot: "/network/", projectGlobs: ["/db/*/"] };
  const stack = toDecisionInput(aPush(), aTarget(changes), aContext());
  expect(stack.module).toBeNull();
  expect(stack.stack).toMatchObject({
    branch: "main",
    project_root: "network",
    additional_project_globs: ["db/*"],
    repository: "acme/infra",
    labels: ["eu"],
    space: SPACE,
  });
  const target = { ...aContext().target, trackedSha: OTHER_SHA, currentVersion: "1.2.3" };
  const module = toDecisionInput(aPush(), aTarget({ kind: "module" }), aContext({ target }));
  expect(module.stack).toBeNull();
  expect(module.module).toMatchObject({ current_version: "1.2.3", tracked_commit: { hash: OTHER_SHA } });
});

test("an integration without a space is the default one (rule 2)", () => {
  const { integration } = aContext();
  const of = (space: typeof SPACE | null) =>
    toDecisionInput(aPush(), aTarget(), aContext({ integration: { ...integration!, space } }))
      .vcs_integration;
  expect(of(null)).toMatchObject({ is_default: true, space: null });
  expect(of(SPACE)).toMatchObject({ is_default: false, space: SPACE });
  expect(toDecisionInput(aPush(), aTarget(), aContext({ integration: null })).vcs_integration).toBeNull();
});
