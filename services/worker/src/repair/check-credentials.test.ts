import fc from "fast-check";
import { expect, test } from "vitest";

import { warningAt } from "./check-credentials-standing.ts";
import { nextCheckInMs } from "./check-credentials.ts";

test("checks begin 30 s after a refusal, come half as often each time, and at least every 15 minutes", () => {
  const times: number[] = [0];
  while (times.length < 10) {
    const at = times.at(-1)!;
    times.push(at + nextCheckInMs({ forMs: at }));
  }
  expect(times.map((ms) => ms / 1_000)).toEqual([0, 30, 60, 120, 240, 480, 960, 1_860, 2_760, 3_660]);
});

test("the longer a credential is refused, the longer is the time to the next check", () => {
  const ages = fc.double({ min: 0, max: 1e12, noNaN: true });
  fc.assert(
    fc.property(ages, ages, (a, b) => {
      const [sooner, later] = [Math.min(a, b), Math.max(a, b)].map((forMs) => nextCheckInMs({ forMs }));
      expect(sooner).toBeLessThanOrEqual(later!);
      expect(sooner).toBeGreaterThanOrEqual(30_000);
      expect(later).toBeLessThanOrEqual(900_000);
    }),
  );
});

test.each([
  [14.01, null],
  [14, 14],
  [7.5, 14],
  [6.9, 7],
  [3, 3],
  [0.5, 1],
  [0, 0],
  [-40, 0],
])("%d days before a credential expires, the warning of day %j is due", (days, warning) => {
  expect(warningAt(days)).toBe(warning);
});
