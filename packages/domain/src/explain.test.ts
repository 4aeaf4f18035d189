import { expect, test } from "vitest";

import type { Evidence } from "./decide.ts";
import { explain } from "./explain.ts";
import { REASONS, type Reason } from "./reason.ts";

test("every reason has a sentence of its own", () => {
  const sentences = REASONS.map((reason) => explain({ reason, evidence: {}, runType: null }));
  expect(new Set(sentences).size).toBe(REASONS.length);
  for (const sentence of sentences) expect(sentence).toMatch(/^[A-Z].*\.$/);
});

test("a trigger's sentence names the file, the rule and the branch", () => {
  const sentence = explain({
    reason: "triggered",
    runType: "tracked",
    evidence: {
      ref: { kind: "branch", name: "main" },
      trackedBranch: "main",
      files: {
        known: true,
        matched: [{ path: "network/main.tf", rule: { kind: "project_root", value: "network" } }],
        total: 3,
      },
    },
  });
  expect(sentence).toBe(
    "A tracked run was triggered: network/main.tf (and 2 more) is under network on the tracked branch main.",
  );
});

const told = { number: 12, action: "synchronize" } as const;
const command = { text: "/sluice deploy network" };

test.each<[Reason, Evidence, string]>([
  ["target_disabled", {}, "The target is disabled."],
  ["target_disabled", { disabled: "integration" }, "The integration of the target is disabled."],
  [
    "metadata_only",
    { pullRequest: { number: 12, action: "edited" } },
    "Pull request 12 was edited; its head and its base are where they were, so there is nothing to run.",
  ],
  [
    "fork_not_allowed",
    { pullRequest: told, fork: { fullName: "acme-labs/infra" } },
    "Pull request 12 comes from the fork acme-labs/infra, whose workspace is not in the target's allowed_fork_workspaces.",
  ],
  [
    "fork_not_allowed",
    { pullRequest: told, fork: { fullName: null } },
    "Pull request 12 comes from a fork that is gone, so nobody can say whose it was.",
  ],
  [
    "closed",
    { pullRequest: { ...told, state: "DECLINED" } },
    "Pull request 12 was declined; nothing is proposed for it any more.",
  ],
  [
    "closed",
    { pullRequest: { ...told, state: "MERGED" } },
    "Pull request 12 was merged; nothing is proposed for it any more.",
  ],
  [
    "closed",
    { pullRequest: { ...told, state: "SUPERSEDED" } },
    "Pull request 12 was superseded; nothing is proposed for it any more.",
  ],
  [
    "closed",
    { pullRequest: { ...told, state: "LATER" } },
    "Pull request 12 is not open; nothing is proposed for it any more.",
  ],
  [
    "stale",
    { pullRequest: { ...told, head: "a0b1c2d3e4f5" } },
    "Pull request 12 has come to another commit since, a0b1c2d3e4f5; that one counts.",
  ],
  [
    "stale",
    { pullRequest: { ...told, head: "a0b1c2d3e4f5" }, overtakenBy: { triggerId: "t-9" } },
    "A newer commit of the target was handed out before this one was known (trigger t-9); to run this one now would roll it back.",
  ],
  [
    "stale",
    { pullRequest: told },
    "Bitbucket does not have the commit that was the head of pull request 12 then.",
  ],
  [
    "stale",
    { pullRequest: { number: 12, action: "merged" } },
    "Pull request 12 was merged, and nothing was decided for this target of the push that did it.",
  ],
  [
    "duplicate",
    { pullRequest: told, duplicateOf: { triggerId: "t-9" } },
    "This commit already has such a run on the target: trigger t-9.",
  ],
  [
    "duplicate",
    { mergeSha: "a0b1c2d3e4f5", duplicateOf: { triggerId: "t-9" } },
    "The push of the merge commit a0b1c2d3e4f5 has been decided for this target already: trigger t-9.",
  ],
  [
    "duplicate",
    { mergeSha: "a0b1c2d3e4f5" },
    "The push of the merge commit a0b1c2d3e4f5 has been decided for this target already.",
  ],
  ["not_a_command", { pullRequest: told }, "The comment asks for no run here."],
  [
    "not_a_command",
    { command: { ...command, because: "the command names other targets" } },
    "The comment asks for no run here: the command names other targets.",
  ],
  [
    "command_refused",
    { command: { ...command, because: "nobody may deploy it" } },
    "The command /sluice deploy network was refused: nobody may deploy it.",
  ],
  [
    "module_version_refused",
    { moduleVersion: { version: "1.2.3", last: "1.3.0" } },
    "The module's version 1.2.3 is not above its last, 1.3.0: a version is released once. Raise it.",
  ],
  [
    "module_version_refused",
    { moduleVersion: { version: "1.2", last: null, because: "it is not a semantic version" } },
    "The module's version 1.2 was refused: it is not a semantic version.",
  ],
  [
    "module_version_refused",
    { moduleVersion: { version: null, last: null, because: ".sluice/config.yml is not YAML" } },
    "The module's version cannot be told: .sluice/config.yml is not YAML.",
  ],
  [
    "baseline",
    { pullRequest: told, ref: { kind: "branch", name: "feature/x" } },
    "A sweep found pull request 12 here when it first looked at it for this target: that is where the target begins, and it runs nothing.",
  ],
])("%s is explained by its evidence (rule 25): %j", (reason, evidence, sentence) => {
  expect(explain({ reason, evidence, runType: null })).toBe(sentence);
});

test("a run of a pull request names it, and one by a comment the command (rules 22, 24)", () => {
  const sentenceOf = (evidence: Evidence) => explain({ reason: "triggered", runType: "proposed", evidence });
  const ref = { kind: "branch", name: "feature/x" };
  const matched = [{ path: "network/main.tf", rule: { kind: "project_root", value: "network" } }] as const;
  expect(sentenceOf({ ref, pullRequest: told, files: { known: true, matched, total: 1 } })).toBe(
    "A proposed run was triggered: network/main.tf is under network in pull request 12.",
  );
  expect(sentenceOf({ ref, pullRequest: told })).toBe(
    "A proposed run was triggered: every commit in pull request 12 concerns this target, which has no project root.",
  );
  expect(sentenceOf({ ref, pullRequest: told, command: { text: "/sluice propose" } })).toBe(
    "A proposed run was triggered: a comment asked for it (/sluice propose).",
  );
});
