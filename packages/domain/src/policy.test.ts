import fc from "fast-check";
import { describe, expect, expectTypeOf, test } from "vitest";

import type { ChangedFiles } from "./changed-files.ts";
import { guard } from "./decide-guard.ts";
import { decide, type DecideContext } from "./decide.ts";
import { toDecisionInput, type DecisionInput, type TargetContext } from "./decision-input.ts";
import type { PullRequestEvent, PushEvent } from "./event.ts";
import { defaultPolicy } from "./policy-default.ts";
import type { Policy, PolicyAnswer, PolicyInput } from "./policy.ts";
import type { Target } from "./target.ts";
import {
  aPullRequest,
  aPullRequestEvent,
  aPullRequestState,
  aTarget,
  HEAD_SHA,
  OTHER_SHA,
} from "./test-pull-request.ts";

const PATHS = ["network/a", "network/b/c.tf", "db/c", "x", "network2/y", "/odd//path/"] as const;

const anyFiles: fc.Arbitrary<ChangedFiles | null> = fc.oneof(
  fc.constant(null),
  fc.constantFrom<ChangedFiles>(
    { kind: "all", because: "the tracked branch main is new" },
    { kind: "unknown", because: "the diffstat timed out" },
  ),
  fc
    .uniqueArray(fc.constantFrom(...PATHS))
    .map((paths): ChangedFiles => ({ kind: "listed", paths, spec: "1f0e..a0b1" })),
);

const anyPush: fc.Arbitrary<PushEvent> = fc.record({
  kind: fc.constant("push"),
  repository: fc.constant({ uuid: "{infra}", fullName: "acme/infra" }),
  actor: fc.constantFrom(null, { uuid: "{bob}", displayName: "Bob", kind: "user" }),
  refKind: fc.constantFrom("branch", "branch", "tag", "other"),
  refName: fc.constantFrom("main", "feature/x", "v1.2.3", "nightly"),
  change: fc.constantFrom("created", "updated", "deleted"),
  oldSha: fc.constantFrom(null, OTHER_SHA),
  newSha: fc.constantFrom(null, HEAD_SHA),
  forced: fc.boolean(),
  commit: fc.constant(null),
});

const FORK = { uuid: "{fork}", fullName: "acme-labs/infra" };
const COMMENT: PullRequestEvent["comment"] = {
  id: 1,
  text: "/sluice propose",
  author: { uuid: "{ada}", displayName: "Ada", kind: "user" },
  createdOn: null,
  isDeleted: false,
  parentId: null,
  isInline: false,
};

const anyReport: fc.Arbitrary<PullRequestEvent> = fc
  .record({
    action: fc.constantFrom(
      "opened",
      "updated",
      "synchronize",
      "edited",
      "approved",
      "unapproved",
      "changes_requested",
      "merged",
      "closed",
      "commented",
    ),
    branch: fc.constantFrom("feature/x", "main"),
    repository: fc.constantFrom(aPullRequest().source.repository, FORK, null),
  })
  .map(({ action, branch, repository }) =>
    aPullRequestEvent({
      action,
      pullRequest: aPullRequest({ source: { repository, branch, sha: HEAD_SHA } }),
      comment: action === "commented" ? COMMENT : null,
    }),
  );

const anyTarget: fc.Arbitrary<Target> = fc
  .record({
    kind: fc.constantFrom("stack", "module"),
    state: fc.constantFrom("active", "active", "active", "detached", "disabled"),
    trackedBranch: fc.constantFrom("main", "feature/x"),
    projectRoot: fc.constantFrom("", "/", "network", "/network/", "db"),
    projectGlobs: fc.constantFrom([], ["db/**"], ["/**/*.tf/", "x"]),
    onUnknownFiles: fc.constantFrom(null, "run", "hold", "skip"),
    allowedForkWorkspaces: fc.constantFrom([], ["Acme-Labs"]),
    moduleVersionSource: fc.constantFrom(null, "file", "tag"),
  })
  .map((changes) => aTarget(changes));

const anyContext: fc.Arbitrary<DecideContext> = fc
  .record({
    files: anyFiles,
    isBaseline: fc.constantFrom(false, false, true),
    state: fc.constantFrom("OPEN", "MERGED", "DECLINED"),
    sha: fc.constantFrom(HEAD_SHA, HEAD_SHA.slice(0, 12), OTHER_SHA, null),
    isStored: fc.boolean(),
    names: fc.constantFrom([], [], ["network"], ["dns"]),
    isCommand: fc.boolean(),
  })
  .map(({ files, isBaseline, state, sha, isStored, names, isCommand }) => ({
    files,
    isBaseline,
    pullRequest: isStored ? aPullRequestState({ state, source: { ...aPullRequest().source, sha } }) : null,
    ...(isCommand
      ? {
          command: {
            command: { kind: "propose", targets: names },
            approvals: [],
            pusherUuid: null,
            headSeenAt: null,
          },
        }
      : {}),
  }));

const TARGET_CONTEXT: TargetContext = {
  target: {
    externalId: null,
    labels: ["eu"],
    space: { id: "s", name: "root" },
    trackedSha: null,
    currentVersion: null,
  },
  integration: null,
  inProgress: [],
};

const anyCase = fc.record({
  event: fc.oneof(anyPush, anyReport),
  target: anyTarget,
  context: anyContext,
});

test("the default policy says of the document, written and read as JSON, what decides an event (rules 16 to 20)", () => {
  fc.assert(
    fc.property(anyCase, ({ event, target, context }) => {
      const document = toDecisionInput(event, target, { ...TARGET_CONTEXT, ...context });
      // What is read is what was written, which `JSON.parse` cannot say.
      const read = JSON.parse(JSON.stringify(document)) as DecisionInput;
      expect(decide(event, target, context, () => defaultPolicy(read))).toEqual(
        decide(event, target, context),
      );
    }),
    { numRuns: 2_000 },
  );
});

test("every document is what the default policy reads, and it is a policy on whole documents too", () => {
  expectTypeOf<DecisionInput>().toExtend<PolicyInput>();
  expectTypeOf(defaultPolicy).toExtend<Policy<DecisionInput>>();
  const document = toDecisionInput(aPullRequestEvent(), aTarget(), {
    ...TARGET_CONTEXT,
    files: null,
    pullRequest: null,
  });
  expect(defaultPolicy(document)).toMatchObject({ kind: "propose" });
});

const ANSWERS: readonly PolicyAnswer[] = [
  { kind: "track", evidence: {} },
  { kind: "propose", evidence: {} },
  { kind: "hold", runType: "tracked", evidence: {} },
  { kind: "ignore", reason: "policy_ignored", evidence: {} },
];

const PUSH: PushEvent = {
  kind: "push",
  repository: { uuid: "{infra}", fullName: "acme/infra" },
  actor: null,
  refKind: "branch",
  refName: "feature/x",
  change: "updated",
  oldSha: OTHER_SHA,
  newSha: HEAD_SHA,
  forced: false,
  commit: null,
};

describe("a policy", () => {
  test("is asked about nothing that is Sluice's own to say, and overrules none of it (rules 5, 20 to 24, 34)", () => {
    fc.assert(
      fc.property(anyCase, fc.constantFrom(...ANSWERS), ({ event, target, context }, answer) => {
        let asked = 0;
        const decision = decide(event, target, context, () => {
          asked += 1;
          return answer;
        });
        const isOpen = guard(event, target, context).kind === "open";
        expect(asked).toBe(isOpen ? 1 : 0);
        expect(isOpen || isEqual(decision, decide(event, target, context))).toBe(true);
      }),
      { numRuns: 1_000 },
    );
  });

  test("is asked about branches that are there and reports that are not old news, of targets that are active, alone", () => {
    fc.assert(
      fc.property(anyCase, ({ event, target, context }) => {
        fc.pre(guard(event, target, context).kind === "open");
        expect(target.state).toBe("active");
        expect(event.kind === "push" ? isPlainPush(event, context) : isNews(event, context)).toBe(true);
      }),
    );
  });

  test.each([
    [ANSWERS[0]!, { outcome: "trigger", runType: "tracked" }],
    [ANSWERS[1]!, { outcome: "trigger", runType: "proposed" }],
    [ANSWERS[2]!, { outcome: "hold", runType: "tracked" }],
    [ANSWERS[3]!, { outcome: "ignore", reason: "policy_ignored" }],
  ])("that answers %j decides so, on what is known of the event (rule 25)", (answer, expected) => {
    const context = { files: null, pullRequest: null };
    expect(decide(PUSH, aTarget(), context, () => answer)).toMatchObject({
      ...expected,
      evidence: { ref: { kind: "branch", name: "feature/x" } },
    });
  });

  test("cannot have tracked what a comment asked to propose: to deploy takes permission (rule 24)", () => {
    const command = {
      command: { kind: "propose", targets: [] },
      approvals: [],
      pusherUuid: null,
      headSeenAt: null,
    } as const;
    const event = aPullRequestEvent({ action: "commented", comment: COMMENT });
    const context = { files: null, pullRequest: aPullRequestState(), command };
    expect(decide(event, aTarget(), context, () => ANSWERS[0]!)).toMatchObject({
      outcome: "trigger",
      runType: "proposed",
    });
    expect(decide(event, aTarget(), context, () => ANSWERS[2]!)).toMatchObject({
      outcome: "hold",
      runType: "proposed",
    });
  });
});

function isEqual(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** Of a branch that is there, and not where a target begins. */
function isPlainPush({ refKind, change }: PushEvent, { isBaseline }: DecideContext): boolean {
  return refKind === "branch" && change !== "deleted" && isBaseline === false;
}

/** Neither a merge, an edit nor a decline, and the pull request was not declined. */
function isNews({ action, pullRequest }: PullRequestEvent, context: DecideContext): boolean {
  const { state } = context.pullRequest ?? pullRequest;
  return !["merged", "edited", "closed"].includes(action) && state !== "DECLINED";
}
