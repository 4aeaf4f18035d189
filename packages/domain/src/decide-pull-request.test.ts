import fc from "fast-check";
import { describe, expect, test } from "vitest";

import type { ChangedFiles } from "./changed-files.ts";
import type { MergePush } from "./decide-merge.ts";
import { decideOldNews } from "./decide-pull-request.ts";
import { decide, decisionNeedsFiles } from "./decide.ts";
import type { PullRequestAction, PullRequestEvent } from "./event.ts";
import { explain } from "./explain.ts";
import {
  aPullRequest,
  aPullRequestEvent,
  aPullRequestState,
  aTarget,
  HEAD_SHA,
  OTHER_SHA,
} from "./test-pull-request.ts";

const EVALUATED = [
  "opened",
  "updated",
  "synchronize",
  "edited",
  "approved",
  "unapproved",
  "changes_requested",
  "changes_request_removed",
  "closed",
] as const satisfies readonly PullRequestAction[];
const RUNNING = EVALUATED.filter((action) => action !== "edited" && action !== "closed");

const listed = (...paths: string[]): ChangedFiles => ({ kind: "listed", paths, spec: "1f0e..a0b1" });
const inside = listed("network/main.tf");
const outside = listed("network2/main.tf");

const source = aPullRequest().source;
const fromFork = (fullName: string | null): PullRequestEvent =>
  aPullRequestEvent({
    pullRequest: aPullRequest({
      source: { ...source, repository: fullName === null ? null : { uuid: "{fork}", fullName } },
    }),
  });

describe("an open pull request (rules 19, 20, 22)", () => {
  test.each(RUNNING)("%s is a proposed run where it concerns the target, and nothing elsewhere", (action) => {
    const event = aPullRequestEvent({ action });
    const pullRequest = aPullRequestState();
    const target = aTarget();
    expect(decisionNeedsFiles(event, target, { pullRequest })).toBe(true);
    expect(decide(event, target, { pullRequest, files: inside })).toMatchObject({
      outcome: "trigger",
      runType: "proposed",
      evidence: { pullRequest: { number: 12, action }, files: { matched: [{ path: "network/main.tf" }] } },
    });
    expect(decide(event, target, { pullRequest, files: outside })).toMatchObject({
      outcome: "ignore",
      reason: "outside_project_root",
    });
  });

  test("its run is proposed also when its branch has the name of the tracked one (rule 11)", () => {
    const pullRequest = aPullRequest({ source: { ...source, branch: "main" } });
    const decision = decide(aPullRequestEvent({ pullRequest }), aTarget(), {
      pullRequest: aPullRequestState(),
      files: inside,
    });
    expect(decision).toMatchObject({ outcome: "trigger", runType: "proposed" });
  });

  test("a target without a project root needs no files (rule 16)", () => {
    const event = aPullRequestEvent();
    const target = aTarget({ projectRoot: "" });
    const pullRequest = aPullRequestState();
    expect(decisionNeedsFiles(event, target, { pullRequest })).toBe(false);
    const decision = decide(event, target, { pullRequest, files: null });
    expect(decision).toMatchObject({ outcome: "trigger", runType: "proposed" });
    expect(explain({ ...decision, runType: "proposed" })).toContain("in pull request 12");
  });

  test.each([
    [null, "trigger"],
    ["run", "trigger"],
    ["hold", "hold"],
    ["skip", "ignore"],
  ] as const)("files that nobody can tell, with on_unknown %s: %s (rule 17)", (onUnknownFiles, outcome) => {
    const decision = decide(aPullRequestEvent(), aTarget({ onUnknownFiles }), {
      pullRequest: aPullRequestState(),
      files: { kind: "unknown", because: "the diffstat timed out" },
    });
    expect(decision).toMatchObject({
      outcome,
      evidence: { files: { known: false, because: "the diffstat timed out" } },
    });
  });
});

describe("what runs nothing, and asks Bitbucket nothing (rules 16, 22)", () => {
  test.each([
    ["a detached target (rule 5)", {}, { state: "detached" }, {}, "integration_detached"],
    ["a disabled target", {}, { state: "disabled" }, {}, "target_disabled"],
    ["an edit", { action: "edited" }, {}, {}, "metadata_only"],
    ["a decline", { action: "closed" }, {}, { state: "DECLINED" }, "closed"],
    ["a decline of one that is open by what is stored", { action: "closed" }, {}, {}, "closed"],
    ["an approval of one that was declined", { action: "approved" }, {}, { state: "DECLINED" }, "closed"],
    ["a late report of one that is declined", {}, {}, { state: "DECLINED" }, "closed"],
    [
      "a report of a head that is not the present one",
      {},
      {},
      { source: { ...source, sha: OTHER_SHA } },
      "stale",
    ],
    ["a report of one whose branch is gone", {}, {}, { source: { ...source, sha: null } }, "branch_deleted"],
  ] as const)("%s", (_, eventChanges, targetChanges, stateChanges, reason) => {
    const event = aPullRequestEvent(eventChanges);
    const target = aTarget(targetChanges);
    const pullRequest = aPullRequestState(stateChanges);
    expect(decisionNeedsFiles(event, target, { pullRequest })).toBe(false);
    expect(decide(event, target, { pullRequest, files: inside })).toMatchObject({
      outcome: "ignore",
      reason,
    });
  });

  test("the earlier of two reasons is the one that is told: target, edit, fork, end, head", () => {
    const gone = { state: "DECLINED", source: { ...source, sha: OTHER_SHA } };
    const event = { ...fromFork("mallory/infra"), action: "edited" as const };
    const reasonOf = (
      change: Partial<PullRequestEvent>,
      target = aTarget(),
      state = aPullRequestState(gone),
    ) => decide({ ...event, ...change }, target, { pullRequest: state, files: inside }).reason;
    expect(reasonOf({}, aTarget({ state: "detached" }))).toBe("integration_detached");
    expect(reasonOf({})).toBe("metadata_only");
    expect(reasonOf({ action: "synchronize" })).toBe("fork_not_allowed");
    const own = { action: "synchronize" as const, pullRequest: aPullRequest() };
    expect(reasonOf(own)).toBe("closed");
    expect(reasonOf(own, aTarget(), aPullRequestState({ source: gone.source }))).toBe("stale");
  });

  test("a head of 12 digits is the stored one of 40 that begins with it (rule 12)", () => {
    expect(decideOldNews(aPullRequestEvent(), aPullRequestState())).toBeNull();
    expect(
      decideOldNews(aPullRequestEvent(), { state: "OPEN", source: { ...source, sha: OTHER_SHA } }),
    ).toMatchObject({ reason: "stale", evidence: { pullRequest: { number: 12, head: OTHER_SHA } } });
  });

  test("a report without a head is stale where there is one", () => {
    const event = aPullRequestEvent({ pullRequest: aPullRequest({ source: { ...source, sha: null } }) });
    expect(decideOldNews(event, aPullRequestState())).toMatchObject({
      reason: "stale",
      evidence: { pullRequest: { head: HEAD_SHA } },
    });
  });
});

describe("a fork's pull request (rule 21)", () => {
  const decideFor = (event: PullRequestEvent, allowedForkWorkspaces: readonly string[]) =>
    decide(event, aTarget({ allowedForkWorkspaces }), {
      pullRequest: aPullRequestState({ source: event.pullRequest.source }),
      files: inside,
    });

  test("makes nothing unless the target names its workspace, in whatever case", () => {
    const event = fromFork("Acme-Labs/infra");
    expect(decideFor(event, [])).toMatchObject({
      reason: "fork_not_allowed",
      evidence: { fork: { fullName: "Acme-Labs/infra" } },
    });
    expect(decideFor(event, ["acme"])).toMatchObject({ reason: "fork_not_allowed" });
    expect(decideFor(event, ["acme", "ACME-labs"])).toMatchObject({
      outcome: "trigger",
      evidence: { fork: { fullName: "Acme-Labs/infra" } },
    });
  });

  test("in the workspace of the repository itself is a fork all the same", () => {
    expect(decideFor(fromFork("acme/infra-fork"), [])).toMatchObject({ reason: "fork_not_allowed" });
  });

  test("makes nothing when the fork is gone, whoever is allowed", () => {
    expect(decideFor(fromFork(null), ["acme", ""])).toMatchObject({
      reason: "fork_not_allowed",
      evidence: { fork: { fullName: null } },
    });
  });

  test("asks Bitbucket nothing when it is refused (rule 16)", () => {
    expect(
      decisionNeedsFiles(fromFork("mallory/infra"), aTarget(), { pullRequest: aPullRequestState() }),
    ).toBe(false);
  });

  test("a branch of the repository itself is no fork, also under a name that the repository had before", () => {
    const renamed = { ...source, repository: { uuid: "{infra}", fullName: "acme/old-name" } };
    expect(
      decideFor(aPullRequestEvent({ pullRequest: aPullRequest({ source: renamed }) }), []),
    ).toMatchObject({
      outcome: "trigger",
    });
  });
});

describe("a merge (rule 22, decision 8)", () => {
  const merged = aPullRequestEvent({
    action: "merged",
    pullRequest: aPullRequest({ state: "MERGED", mergeSha: OTHER_SHA }),
  });
  const repeat = (mergePush?: MergePush) =>
    decide(merged, aTarget(), {
      files: inside,
      pullRequest: aPullRequestState({ state: "MERGED", mergeSha: OTHER_SHA }),
      ...(mergePush === undefined ? {} : { mergePush }),
    });
  const ofPush = (changes: Partial<MergePush>): MergePush => ({
    outcome: "ignore",
    reason: "outside_project_root",
    evidence: { trackedBranch: "main" },
    triggerId: null,
    ...changes,
  });

  test("is a duplicate of the run that its push made, and shows what that was decided by", () => {
    expect(repeat(ofPush({ outcome: "trigger", reason: "triggered", triggerId: "0199aaaa" }))).toMatchObject({
      outcome: "ignore",
      reason: "duplicate",
      evidence: { duplicateOf: { triggerId: "0199aaaa" }, mergeSha: OTHER_SHA, trackedBranch: "main" },
    });
  });

  test.each([
    ["held for a person: a duplicate", ofPush({ outcome: "hold", reason: "held" }), "duplicate"],
    ["ignored: ignored for the same reason", ofPush({}), "outside_project_root"],
    ["never told, or the target is newer than it: stale", undefined, "stale"],
  ] as const)("whose push was %s", (_, push, reason) => {
    expect(repeat(push)).toMatchObject({ outcome: "ignore", reason, evidence: { mergeSha: OTHER_SHA } });
  });

  test("needs no files (rule 16)", () => {
    expect(decisionNeedsFiles(merged, aTarget())).toBe(false);
  });
});

const PATHS = ["network/a", "network/b", "db/c", "x", "network2/y"] as const;
const anEvent = fc.record({
  event: fc.record({
    action: fc.constantFrom(...EVALUATED),
    fork: fc.constantFrom("own", "acme-labs/infra", null),
  }),
  target: fc.record({
    state: fc.constantFrom("active", "detached", "disabled"),
    projectRoot: fc.constantFrom("", "network"),
    projectGlobs: fc.constantFrom([], ["db/**"]),
    onUnknownFiles: fc.constantFrom(null, "run", "hold", "skip"),
    allowedForkWorkspaces: fc.constantFrom([], ["acme-labs"]),
  }),
  state: fc.constantFrom("OPEN", "MERGED", "DECLINED", "SUPERSEDED"),
  sha: fc.constantFrom(HEAD_SHA, HEAD_SHA.slice(0, 12), OTHER_SHA, null),
  paths: fc.option(fc.uniqueArray(fc.constantFrom(...PATHS)), { nil: null }),
});

test("a pull request is never tracked, whatever it is, and runs only what was not declined and is at its head (rules 20 to 22)", () => {
  fc.assert(
    fc.property(anEvent, (given) => {
      const { event, target, pullRequest, paths } = arrange(given);
      const files: ChangedFiles =
        paths === null ? { kind: "unknown", because: "a test says so" } : listed(...paths);
      const decision = decide(event, target, { pullRequest, files });
      if (decision.outcome === "ignore") return;
      expect(decision.runType).toBe("proposed");
      expect(["OPEN", "MERGED"]).toContain(pullRequest.state);
      expect(given.sha === HEAD_SHA || given.sha === HEAD_SHA.slice(0, 12)).toBe(true);
      expect(target.state).toBe("active");
      expect(given.event.fork === "own" || target.allowedForkWorkspaces.length > 0).toBe(true);
    }),
  );
});

test("the order of the files changes neither outcome nor reason", () => {
  fc.assert(
    fc.property(anEvent, (given) => {
      const { event, target, pullRequest, paths } = arrange(given);
      const of = (list: readonly string[]) => {
        const { outcome, reason, evidence } = decide(event, target, { pullRequest, files: listed(...list) });
        return { outcome, reason, total: evidence.files?.total };
      };
      expect(of((paths ?? []).toReversed())).toEqual(of(paths ?? []));
    }),
  );
});

test("files that are not needed change nothing (rule 16)", () => {
  fc.assert(
    fc.property(anEvent, (given) => {
      const { event, target, pullRequest, paths } = arrange(given);
      fc.pre(!decisionNeedsFiles(event, target, { pullRequest }));
      expect(decide(event, target, { pullRequest, files: listed(...(paths ?? [])) })).toEqual(
        decide(event, target, { pullRequest, files: null }),
      );
    }),
  );
});

function arrange({
  event,
  target,
  state,
  sha,
  paths,
}: typeof anEvent extends fc.Arbitrary<infer T> ? T : never) {
  const told = event.fork === "own" ? aPullRequestEvent() : fromFork(event.fork);
  return {
    event: { ...told, action: event.action },
    target: aTarget(target),
    pullRequest: aPullRequestState({ state, source: { ...told.pullRequest.source, sha } }),
    paths,
  };
}
