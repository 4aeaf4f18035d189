import { expect, it } from "vitest";

import { parseRateLimit, parseRetryAfter } from "./retry-after.ts";

const NOW = Date.parse("2026-11-24T10:00:00Z");

it.each([
  ["0", 0],
  ["30", 30_000],
  [" 30 ", 30_000],
  ["999999", 3_600_000],
  ["Tue, 24 Nov 2026 10:00:30 GMT", 30_000],
  ["Tue, 24 Nov 2026 09:00:00 GMT", 0],
  ["Wed, 25 Nov 2026 10:00:00 GMT", 3_600_000],
])("reads Retry-After %j as %j ms, never in the past and at most an hour", (value, ms) => {
  expect(parseRetryAfter(value, NOW)).toBe(ms);
});

it.each([null, "", "soon", "-5", "1.5", "1e3"])("takes no advice from Retry-After %j", (value) => {
  expect(parseRetryAfter(value, NOW)).toBeNull();
});

it("reads a limit per hour, and nothing that cannot be one", () => {
  expect(parseRateLimit("1000")).toBe(1000);
  for (const value of [null, "", "0", "-1", "many", "1000, 1000", "999999999"]) {
    expect(parseRateLimit(value)).toBeNull();
  }
});
