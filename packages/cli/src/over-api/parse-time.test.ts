import { expect, test } from "vitest";

import { parseEnd, parsePast } from "./parse-time.ts";

const NOW = Date.parse("2027-01-15T12:00:00Z");

test.each([
  ["90d", "2027-04-15T12:00:00.000Z"],
  ["24h", "2027-01-16T12:00:00.000Z"],
  ["2027-01-31", "2027-01-31T00:00:00.000Z"],
  ["2027-01-31T12:00:00+02:00", "2027-01-31T10:00:00.000Z"],
])("an end: %s", (text, end) => {
  expect(parseEnd(text, NOW)).toBe(end);
});

test.each([
  ["30m", "2027-01-15T11:30:00.000Z"],
  ["7d", "2027-01-08T12:00:00.000Z"],
  ["2027-01-01", "2027-01-01T00:00:00.000Z"],
])("a time in the past: %s", (text, time) => {
  expect(parsePast(text, NOW)).toBe(time);
});

test.each(["", "tomorrow", "0d", "5", "-1d", "2027-13-01", "2027-01-31T12:00", "1y", "999999d"])(
  "no time: %j",
  (text) => {
    expect(() => parseEnd(text, NOW)).toThrow("is no time: write ");
  },
);

test("an end that has passed is none", () => {
  expect(() => parseEnd("2027-01-15", NOW)).toThrow("2027-01-15 has passed");
});
