import { expect, test } from "vitest";

import { explain } from "./explain.ts";
import { REASONS } from "./reason.ts";

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
