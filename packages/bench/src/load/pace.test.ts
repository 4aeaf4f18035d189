import { expect, test } from "vitest";
import { nextDue } from "./pace.ts";

const state = { startedAt: 1_000, now: 1_500, sent: 0, outstanding: 0 };

test("a closed loop sends whenever a connection is free", () => {
  expect(nextDue({ kind: "closed" }, { ...state, sent: 99, outstanding: 99 })).toBe(1_500);
});

test("a closed loop on commits stops at its limit of webhooks without their triggers", () => {
  const pace = { kind: "committed", maxOutstanding: 10 } as const;
  expect(nextDue(pace, { ...state, outstanding: 9 })).toBe(1_500);
  expect(nextDue(pace, { ...state, outstanding: 10 })).toBeNull();
});

test("an open loop keeps its schedule: what could not be sent in time was due when it was due", () => {
  const pace = { kind: "open", perSecond: 10 } as const;
  expect(nextDue(pace, { ...state, sent: 3 })).toBe(1_300);
  expect(nextDue(pace, { ...state, sent: 5 })).toBe(1_500);
  expect(nextDue(pace, { ...state, sent: 6 })).toBeNull();
});
