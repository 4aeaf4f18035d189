import type { Decision } from "@sluice/domain/decide";
import type { DecisionReport } from "@sluice/store/decision-reports";
import type { TriggerStanding } from "@sluice/store/trigger-standings";
import { expect, test } from "vitest";

import { planReplay } from "./plan-replay.ts";

const tracked: Decision = { outcome: "trigger", runType: "tracked", reason: "triggered", evidence: {} };
const proposed: Decision = { ...tracked, runType: "proposed" };
const outside: Decision = { outcome: "ignore", reason: "outside_project_root", evidence: {} };
const held: Decision = { outcome: "hold", runType: "tracked", reason: "held", evidence: {} };
const baseline: Decision = { outcome: "ignore", reason: "baseline", evidence: {} };
const NOTHING = { takenBack: [], written: [], ended: [], outlived: [] };

/** The decision of the target `network`, as it was. */
const was = (decision: Decision, more: Partial<DecisionReport> = {}): DecisionReport => ({
  runType: null,
  ...decision,
  id: "decision",
  eventId: "event",
  deliveryId: "delivery",
  target: { id: "network", kind: "stack", name: "network", space: "root" },
  triggerId: decision.outcome === "trigger" ? "trigger" : null,
  decidedAt: "2026-11-24T10:00:00.000Z",
  ...more,
});

function plan(before: DecisionReport, now: Decision | null, trigger: Partial<TriggerStanding> = {}) {
  const standing: TriggerStanding = {
    id: "trigger",
    eventId: "event",
    runType: "tracked",
    commitSha: "a".repeat(40),
    refName: "main",
    state: "queued",
    attempt: 0,
    cancelRequested: false,
    lease: null,
    run: { id: null, url: null },
    message: null,
    heldBackBy: null,
    history: [],
    hasEarlierHistory: false,
    ...trigger,
  };
  return planReplay({
    before: [before],
    now: now === null ? [] : [{ targetId: "network", decision: now }],
    triggers: new Map([["trigger", standing]]),
  });
}

test.each([
  ["a run", was(tracked), tracked],
  ["what is not run", was(outside), outside],
  ["what is held", was(held), held],
])("%s that would be decided alike stays", (_, before, now) => {
  expect(plan(before, now)).toEqual(NOTHING);
});

test("a baseline stays one, also when a later sweep has seen the target (rule 34)", () => {
  expect(plan(was(baseline), tracked)).toEqual(NOTHING);
});

test.each([outside, held, proposed])("a trigger that nobody has had ends when it would be %o", (now) => {
  expect(plan(was(tracked), now)).toEqual({
    takenBack: ["decision"],
    written: [{ targetId: "network", decision: now }],
    ended: ["trigger"],
    outlived: [],
  });
});

test.each([
  { state: "claimed", attempt: 1 },
  { state: "queued", attempt: 1 },
  { state: "succeeded", attempt: 1 },
  { state: "superseded", attempt: 0 },
] as const)("one that is $state after $attempt attempts keeps its decision", (trigger) => {
  expect(plan(was(tracked), outside, trigger)).toEqual({
    ...NOTHING,
    outlived: [{ decisionId: "decision", wouldBe: outside }],
  });
});

test("a run that was a duplicate is written anew: whether it is one is found out then", () => {
  const duplicate: Decision = { outcome: "ignore", reason: "duplicate", evidence: {} };
  expect(plan(was(duplicate), tracked)).toEqual({
    takenBack: ["decision"],
    written: [{ targetId: "network", decision: tracked }],
    ended: [],
    outlived: [],
  });
});

test("what a person settled stays, however it would be decided (rule 17)", () => {
  const settled = was(outside, { evidence: { resolvedBy: "grace" } });
  for (const now of [tracked, held]) expect(plan(settled, now)).toEqual(NOTHING);
});

test("the decision of what is no target any more stays; that of the event as a whole makes room for its targets", () => {
  expect(plan(was(tracked), null)).toEqual(NOTHING);
  const whole = was({ outcome: "ignore", reason: "no_target", evidence: {} }, { target: null });
  expect(plan(whole, tracked)).toMatchObject({ takenBack: ["decision"], written: [{ targetId: "network" }] });
});
