import { expect, test } from "vitest";

import { compareTriggers } from "./compare-decisions.ts";

const open = (id: string, more: object = {}) => ({
  id,
  state: "queued" as const,
  cancelRequested: false,
  ...more,
});

test("of the open triggers, those that end, come back, or are asked to stop are told, and no own one", () => {
  const before = [open("same"), open("ends"), open("runs", { state: "running" }), open("own")];
  const after = [open("same"), open("runs", { state: "running", cancelRequested: true }), open("comes back")];
  expect(compareTriggers(before, after, new Set(["own", "new"]))).toEqual([
    { id: "ends", before: "queued", after: null, isAskedToStop: false },
    { id: "runs", before: "running", after: "running", isAskedToStop: true },
    { id: "comes back", before: null, after: "queued", isAskedToStop: false },
  ]);
});

test("one whose holder had been asked to stop before is not told again", () => {
  const asked = [open("runs", { state: "running", cancelRequested: true })];
  expect(compareTriggers(asked, asked, new Set())).toEqual([]);
});
