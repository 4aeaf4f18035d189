import { expect, test } from "vitest";

import { createBodyBudget } from "./body-budget.ts";

test("what is taken is never more than there is, and what was given back can be taken again", () => {
  const budget = createBodyBudget(100);
  expect(budget.take(60)).toBe(true);
  expect(budget.take(41)).toBe(false);
  expect([budget.hasRoomFor(40), budget.hasRoomFor(41)]).toEqual([true, false]);
  expect(budget.take(40)).toBe(true);
  expect([budget.hasRoomFor(0), budget.hasRoomFor(1)]).toEqual([true, false]);
  budget.giveBack(60);
  expect(budget.take(61)).toBe(false);
  expect(budget.take(60)).toBe(true);
});
