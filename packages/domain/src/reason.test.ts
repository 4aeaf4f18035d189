import { expect, test } from "vitest";

import { readComment } from "./comment-command-decision.ts";
import { decide, decideWithoutTargets, type Decision } from "./decide.ts";
import type { PullRequestEvent, PushEvent } from "./event.ts";
import { REASONS, type Reason } from "./reason.ts";
import { limitTriggers } from "./run-limit.ts";
import {
  aPullRequest,
  aPullRequestEvent,
  aPullRequestState,
  aTarget,
  HEAD_SHA,
  OTHER_SHA,
} from "./test-pull-request.ts";

/** Reasons that no function here gives, and why. */
const ELSEWHERE = {
  duplicate: "earlier triggers decide it, under the lock in which the new one would be made",
  module_version_refused: "earlier versions decide it, under that lock",
  locked: "nothing locks a target yet",
  policy_ignored: "there are no policies but the default one yet",
  policy_no_match: "there are no policies but the default one yet",
  default_policy_disabled: "the default policy cannot be switched off yet",
} as const satisfies Partial<Record<Reason, string>>;

const PUSH: PushEvent = {
  kind: "push",
  repository: { uuid: "{infra}", fullName: "acme/infra" },
  actor: null,
  refKind: "branch",
  refName: "main",
  change: "updated",
  oldSha: OTHER_SHA,
  newSha: HEAD_SHA,
  forced: false,
  commit: null,
};

/** The type holds that every other reason is here. */
const REACHED: Readonly<Record<Exclude<Reason, keyof typeof ELSEWHERE>, Decision | null>> = {
  triggered: ofPush({}, "network/a"),
  outside_project_root: ofPush({}, "db/a"),
  held: decide(PUSH, aTarget(), { files: { kind: "unknown", because: "a test says so" }, pullRequest: null }),
  tag: ofPush({ refKind: "tag" }),
  branch_deleted: ofPush({ change: "deleted", newSha: null }),
  baseline: decide(PUSH, aTarget(), { files: null, pullRequest: null, isBaseline: true }),
  integration_detached: decide(PUSH, aTarget({ state: "detached" }), { files: null, pullRequest: null }),
  target_disabled: decide(PUSH, aTarget({ state: "disabled" }), { files: null, pullRequest: null }),
  no_target: decideWithoutTargets(PUSH, 0),
  unsupported_event: decideWithoutTargets({ kind: "unsupported", eventKey: "repo:fork" }, 1),
  run_limit: limitTriggers([{ targetId: "t", decision: ofPush({}, "network/a") }], 0)[0]?.decision ?? null,
  metadata_only: ofPullRequest({ action: "edited" }),
  fork_not_allowed: ofPullRequest({
    pullRequest: aPullRequest({ source: { ...aPullRequest().source, repository: null } }),
  }),
  closed: ofPullRequest({ action: "closed" }),
  stale: ofPullRequest({
    pullRequest: aPullRequest({ source: { ...aPullRequest().source, sha: OTHER_SHA } }),
  }),
  not_a_command: ofComment("Looks good"),
  command_refused: ofComment("/sluice deploy no-such-target"),
};

test.each(Object.entries(REACHED))("%s can be reached (rule 25)", (reason, decision) => {
  expect(decision?.reason).toBe(reason);
});

test("every reason is reached, or said to be reached elsewhere or later (rule 25)", () => {
  expect([...Object.keys(REACHED), ...Object.keys(ELSEWHERE)].toSorted()).toEqual(REASONS.toSorted());
});

function ofPush(changes: Partial<PushEvent>, ...paths: string[]): Decision {
  return decide({ ...PUSH, ...changes }, aTarget(), {
    files: { kind: "listed", paths, spec: "1f0e..a0b1" },
    pullRequest: null,
  });
}

function ofPullRequest(changes: Parameters<typeof aPullRequestEvent>[0]): Decision {
  return decide(aPullRequestEvent(changes), aTarget(), { pullRequest: aPullRequestState(), files: null });
}

function ofComment(text: string): Decision | null {
  const comment: PullRequestEvent["comment"] = {
    id: 1,
    text,
    author: { uuid: "{ada}", displayName: "Ada", kind: "user" },
    createdOn: null,
    isDeleted: false,
    parentId: null,
    isInline: false,
  };
  const event: PullRequestEvent = { ...aPullRequestEvent(), action: "commented", comment };
  const meaning = readComment({ event, targets: [aTarget()], ownUuid: null });
  return meaning.kind === "decided" ? meaning.decision : null;
}
