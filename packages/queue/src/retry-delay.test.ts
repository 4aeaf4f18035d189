import fc from "fast-check";
import { expect, test } from "vitest";
import { retryDelayMs } from "./retry-delay.ts";

const policies = fc
  .record({ attempts: fc.nat(50), firstDelayMs: fc.integer({ min: 1, max: 10_000 }), factor: fc.nat(1_000) })
  .map(({ factor, ...policy }) => ({ ...policy, maxDelayMs: policy.firstDelayMs * (1 + factor) }));
const attempts = fc.integer({ min: 1, max: 2_000 });
const randoms = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

test("a delay is whole, at least 1 ms and never above the cap", () => {
  fc.assert(
    fc.property(policies, attempts, randoms, (policy, attempt, random) => {
      const delay = retryDelayMs(attempt, policy, random);
      expect(Number.isSafeInteger(delay)).toBe(true);
      expect(delay).toBeGreaterThanOrEqual(1);
      expect(delay).toBeLessThanOrEqual(policy.maxDelayMs);
    }),
  );
});

test("with the same luck, a later attempt never waits less", () => {
  fc.assert(
    fc.property(policies, attempts, randoms, (policy, attempt, random) => {
      expect(retryDelayMs(attempt + 1, policy, random)).toBeGreaterThanOrEqual(
        retryDelayMs(attempt, policy, random),
      );
    }),
  );
});

test("luck takes up to half of a delay away", () => {
  const policy = { attempts: 5, firstDelayMs: 1_000, maxDelayMs: 60_000 };
  expect([1, 2, 3, 4].map((attempt) => retryDelayMs(attempt, policy, 0))).toEqual([500, 1_000, 2_000, 4_000]);
  expect(retryDelayMs(4, policy, 0.999_999)).toBe(8_000);
  expect(retryDelayMs(40, policy, 0)).toBe(30_000);
});
