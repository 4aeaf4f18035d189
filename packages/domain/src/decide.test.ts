import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { MAX_EVIDENCE_FILES } from "./affected.ts";
import type { ChangedFiles } from "./changed-files.ts";
import { decide, decideWithoutTargets, decisionNeedsFiles } from "./decide.ts";
import type { PushEvent } from "./event.ts";
import type { Target } from "./target.ts";
import { aTarget as aStack } from "./test-pull-request.ts";

const aPush = (change: Partial<PushEvent> = {}): PushEvent => ({
  kind: "push",
  repository: { uuid: "{r}", fullName: "acme/infra" },
  actor: null,
  refKind: "branch",
  refName: "main",
  change: "updated",
  oldSha: "a".repeat(40),
  newSha: "b".repeat(40),
  forced: false,
  commit: null,
  ...change,
});

const decidePush = (event: PushEvent, target: Target, files: ChangedFiles | null) =>
  decide(event, target, { files, pullRequest: null });

const aTarget = (change: Partial<Target> = {}): Target => aStack({ id: "t", ...change });

const listed = (...paths: string[]): ChangedFiles => ({ kind: "listed", paths, spec: "b..a" });
const unknown: ChangedFiles = { kind: "unknown", because: "diffstat timed out" };

describe("the default policy (rules 19, 20)", () => {
  test("a push to the tracked branch that touches the root is a tracked run", () => {
    const decision = decidePush(aPush(), aTarget(), listed("network/main.tf", "db/x.tf"));
    expect(decision).toMatchObject({
      outcome: "trigger",
      runType: "tracked",
      reason: "triggered",
      evidence: {
        files: { known: true, total: 1, matched: [{ path: "network/main.tf" }], compared: "b..a" },
      },
    });
  });

  test("the same on another branch is a proposed run", () => {
    const decision = decidePush(aPush({ refName: "feature/x" }), aTarget(), listed("network/main.tf"));
    expect(decision).toMatchObject({ outcome: "trigger", runType: "proposed" });
  });

  test("a push that touches neither root nor globs is ignored, with what was compared", () => {
    const decision = decidePush(aPush(), aTarget(), listed("network2/main.tf"));
    expect(decision).toMatchObject({
      outcome: "ignore",
      reason: "outside_project_root",
      evidence: { files: { compared: "b..a", total: 0 } },
    });
  });

  test("an empty root needs no files: every push concerns it (rule 16)", () => {
    const target = aTarget({ projectRoot: "/" });
    expect(decisionNeedsFiles(aPush(), target)).toBe(false);
    expect(decidePush(aPush(), target, null)).toMatchObject({ outcome: "trigger" });
  });

  test.each([
    ["a tag", aPush({ refKind: "tag", refName: "v1.0.0" }), aTarget(), "tag"],
    ["a deleted branch (rule 23)", aPush({ change: "deleted", newSha: null }), aTarget(), "branch_deleted"],
    ["a detached target (rule 5)", aPush(), aTarget({ state: "detached" }), "integration_detached"],
    ["a disabled target", aPush(), aTarget({ state: "disabled" }), "target_disabled"],
    ["an unknown kind of ref", aPush({ refKind: "other" }), aTarget(), "unsupported_event"],
  ])("%s runs nothing and asks Bitbucket nothing", (_, event, target, reason) => {
    expect(decisionNeedsFiles(event, target)).toBe(false);
    expect(decidePush(event, target, null)).toMatchObject({ outcome: "ignore", reason });
  });
});

test("a target whose integration is switched off is disabled, and the evidence says by what", () => {
  const target = aTarget({ state: "disabled", isIntegrationDisabled: true });
  expect(decidePush(aPush(), target, null)).toEqual({
    outcome: "ignore",
    reason: "target_disabled",
    evidence: { disabled: "integration" },
  });
});

describe("unknown files (rule 17)", () => {
  test.each([
    ["tracked", null, "hold"],
    ["proposed", null, "trigger"],
    ["tracked", "run", "trigger"],
    ["tracked", "skip", "ignore"],
    ["proposed", "hold", "hold"],
    ["proposed", "skip", "ignore"],
  ] as const)("a %s run with on_unknown %s: %s", (runType, onUnknownFiles, outcome) => {
    const event = aPush({ refName: runType === "tracked" ? "main" : "feature" });
    const decision = decidePush(event, aTarget({ onUnknownFiles }), unknown);
    expect(decision).toMatchObject({
      outcome,
      evidence: { files: { known: false, because: "diffstat timed out" } },
    });
  });
});

test("a first push of the tracked branch counts every file as changed, and says so", () => {
  const files: ChangedFiles = { kind: "all", because: "the tracked branch main is new" };
  expect(decidePush(aPush({ change: "created", oldSha: null }), aTarget(), files)).toMatchObject({
    outcome: "trigger",
    runType: "tracked",
    evidence: { files: { because: "the tracked branch main is new" } },
  });
});

test("evidence keeps a bounded number of files and the full count", () => {
  const paths = Array.from({ length: 500 }, (_, index) => `network/${String(index)}.tf`);
  const decision = decidePush(aPush(), aTarget(), listed(...paths));
  expect(decision.evidence.files?.matched).toHaveLength(MAX_EVIDENCE_FILES);
  expect(decision.evidence.files?.total).toBe(500);
});

test("an event without targets, or of an unsupported key, is explained as a whole", () => {
  expect(decideWithoutTargets(aPush(), 0)).toMatchObject({ reason: "no_target" });
  expect(decideWithoutTargets(aPush(), 1)).toBeNull();
  expect(decideWithoutTargets({ kind: "unsupported", eventKey: "repo:fork" }, 3)).toMatchObject({
    reason: "unsupported_event",
    evidence: { eventKey: "repo:fork" },
  });
});

const PATHS = ["network/a", "network/b", "db/c", "x", "network2/y"] as const;
const anyPush = fc.record({
  event: fc.record({
    refKind: fc.constantFrom("branch", "tag", "other"),
    refName: fc.constantFrom("main", "feature/x"),
    change: fc.constantFrom("created", "updated", "deleted"),
  }),
  target: fc.record({
    state: fc.constantFrom("active", "detached", "disabled"),
    trackedBranch: fc.constantFrom("main", "feature/x"),
    projectRoot: fc.constantFrom("", "network"),
    projectGlobs: fc.constantFrom([], ["db/**"]),
  }),
  paths: fc.uniqueArray(fc.constantFrom(...PATHS)),
});

test("ignore > track > propose, and one of them for any push (rule 20)", () => {
  fc.assert(
    fc.property(anyPush, ({ event: { refKind, refName, change }, target, paths }) => {
      const isAffected =
        target.projectRoot === "" ||
        paths.some((path) => path.startsWith("network/")) ||
        (target.projectGlobs.length > 0 && paths.includes("db/c"));
      const isIgnored =
        !isAffected || target.state !== "active" || refKind !== "branch" || change === "deleted";
      const isTracked = refName === target.trackedBranch;

      const event = aPush({ refKind, refName, change });
      const decision = decidePush(event, aTarget(target), listed(...paths));
      const run = decision.outcome === "ignore" ? null : decision.runType;
      expect(run).toBe(isIgnored ? null : isTracked ? "tracked" : "proposed");
    }),
  );
});

test("the order of the files does not change what is decided", () => {
  fc.assert(
    fc.property(anyPush, ({ event, target, paths }) => {
      const of = (list: readonly string[]) => {
        const decision = decidePush(aPush(event), aTarget(target), listed(...list));
        return { ...decision, evidence: decision.evidence.files?.total };
      };
      expect(of(paths.toReversed())).toEqual(of(paths));
    }),
  );
});

test("files that are not needed change nothing (rule 16)", () => {
  fc.assert(
    fc.property(anyPush, ({ event: changes, target: targetChanges, paths }) => {
      const event = aPush(changes);
      const target = aTarget(targetChanges);
      fc.pre(!decisionNeedsFiles(event, target));
      expect(decidePush(event, target, listed(...paths))).toEqual(decidePush(event, target, null));
    }),
  );
});
