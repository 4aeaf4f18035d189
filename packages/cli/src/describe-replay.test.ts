import type { DecisionChange } from "@sluice/worker/replay/compare-decisions";
import type { ReplayReport } from "@sluice/worker/replay/replay-report";
import { expect, test } from "vitest";

import { describeReplay } from "./describe-replay.ts";

const NETWORK = { id: "1", kind: "stack", name: "network", space: "root" } as const;

const aReport = (more: Partial<ReplayReport> = {}): ReplayReport => ({
  deliveryId: "d1",
  failure: null,
  hasChanges: true,
  isApplied: false,
  events: [],
  otherTriggers: [],
  ...more,
});

const anEvent = (
  changes: readonly DecisionChange[],
  more: { isNew?: boolean; isWaiting?: boolean } = {},
): ReplayReport["events"][number] => ({
  delivery: {
    id: "d1",
    requestId: "r1",
    source: "webhook",
    eventKey: "repo:push",
    attempt: 1,
    receivedAt: "2026-11-24T10:00:00.000Z",
    recordedAt: "2026-11-24T10:00:00.000Z",
    outcome: "no_events",
    failure: null,
    integration: { id: "i1", name: "acme" },
  },
  event: null,
  isNew: false,
  isWaiting: false,
  changes,
  ...more,
});

const aChange = (more: Partial<DecisionChange> = {}): DecisionChange => ({
  kind: "reason",
  target: NETWORK,
  before: { reason: "target_disabled", runType: null, evidence: {} },
  after: { reason: "branch_deleted", runType: null, evidence: { ref: { kind: "branch", name: "x" } } },
  trigger: null,
  ended: null,
  ...more,
});

test("why a delivery cannot be read is said, and that nothing would change", () => {
  const failure = { code: "invalid_payload", path: "push.changes", message: "expected an array" };
  expect(describeReplay(aReport({ failure, hasChanges: false }))).toBe(
    "It cannot be read: invalid_payload at push.changes: expected an array\nNothing would change.\n",
  );
});

test("another reason is a difference of two sentences; where there was none before, of one", () => {
  expect(describeReplay(aReport({ events: [anEvent([aChange()])] }))).toContain(
    [
      "  stack network (space root): would be decided otherwise",
      "    - The target is disabled.",
      "    + The branch x was deleted; there is nothing to run.",
      "1 decided otherwise. Nothing was written: --apply writes it.",
    ].join("\n"),
  );
  const text = describeReplay(aReport({ isApplied: true, events: [anEvent([aChange({ before: null })])] }));
  expect(text).toContain("  stack network (space root): decided\n    + The branch x was deleted");
});

test("what outlives the present rules says what it would be, and does not count as a change", () => {
  const text = describeReplay(aReport({ events: [anEvent([aChange({ kind: "outlived" })])] }));
  expect(text).toContain(
    "  stack network (space root): would not be so by now; what was handed out, or has ended, stays as it is\n",
  );
  expect(text).toMatch(/\nNothing would change\.\n$/);
});

test("an event that waits for Bitbucket says who decides it, and where that is read", () => {
  const text = describeReplay(
    aReport({ isApplied: true, events: [anEvent([], { isNew: true, isWaiting: true })] }),
  );
  expect(text).toContain("decides it within two minutes: `sluice explain` tells then what it meant\n");
  expect(text).toMatch(/\n1 new event\. That is written\.\n$/);
});

test("what becomes of triggers of other deliveries is told, and counts", () => {
  const otherTriggers = [
    { id: "t1", before: "queued", after: null, isAskedToStop: false },
    { id: "t2", before: "running", after: "running", isAskedToStop: true },
    { id: "t3", before: null, after: "queued", isAskedToStop: false },
  ] as const;
  expect(describeReplay(aReport({ otherTriggers })).split("\n")).toEqual([
    "would change: trigger t1 of another delivery: queued → ended, because of what is newer on its branch",
    "would change: trigger t2 of another delivery: its holder is asked to stop",
    "would change: trigger t3 of another delivery: ended → queued",
    "3 runs of other deliveries changed. Nothing was written: --apply writes it.",
    "",
  ]);
});

test("no name of anybody's ends a line or speaks to the terminal", () => {
  const target = { ...NETWORK, name: "net\u001B[2Jwork\n" };
  const text = describeReplay(aReport({ events: [anEvent([aChange({ target })])] }));
  expect(text).toContain("  stack net [2Jwork  (space root): ");
});
