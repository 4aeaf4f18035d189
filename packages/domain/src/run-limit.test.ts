import { expect, test } from "vitest";

import { explain } from "./explain.ts";
import { limitTriggers, type TargetDecision } from "./run-limit.ts";

const aRun = (targetId: string): TargetDecision => ({
  targetId,
  decision: {
    outcome: "trigger",
    runType: "proposed",
    reason: "triggered",
    evidence: { ref: { kind: "branch", name: "feature" } },
  },
});

const anIgnored: TargetDecision = {
  targetId: "dns",
  decision: { outcome: "ignore", reason: "outside_project_root", evidence: {} },
};

const runs = [aRun("network"), anIgnored, aRun("database"), aRun("cluster")];

test("an event that makes as many triggers as it may is left as it is", () => {
  expect(limitTriggers(runs, 3)).toBe(runs);
});

test("one more, and it makes none: each run says why, in numbers and in words, and nothing else changes", () => {
  const limited = limitTriggers(runs, 2);
  expect(limited.map(({ targetId }) => targetId)).toEqual(["network", "dns", "database", "cluster"]);
  expect(limited[1]).toEqual(anIgnored);
  for (const { decision } of [limited[0]!, limited[2]!, limited[3]!]) {
    expect(decision).toEqual({
      outcome: "ignore",
      reason: "run_limit",
      evidence: { ref: { kind: "branch", name: "feature" }, runLimit: { triggers: 3, limit: 2 } },
    });
    expect(explain({ ...decision, runType: null })).toBe(
      "The event would have triggered 3 runs, and one event may trigger at most 2: none was. The limit is MAX_TRIGGERS_PER_EVENT.",
    );
  }
});
