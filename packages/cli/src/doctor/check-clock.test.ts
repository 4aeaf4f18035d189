import { expect, test } from "vitest";

import { checkClock } from "./check-clock.ts";

const database = { of: "the database", warnMs: 2_000 };

test.each([0, 2_000, -2_000])("a difference of %i ms is none", (aheadMs) => {
  expect(checkClock("clock", aheadMs, database)).toMatchObject({ level: "ok", remedy: null });
});

test.each([
  [2_001, "the clock of the database is 2.0 s ahead of this machine's"],
  [-90_000, "the clock of the database is 90.0 s behind this machine's"],
])("a difference of %i ms is told with its direction", (aheadMs, message) => {
  expect(checkClock("clock", aheadMs, database)).toEqual({
    check: "clock",
    level: "warn",
    message,
    remedy: "run NTP on both",
  });
});
