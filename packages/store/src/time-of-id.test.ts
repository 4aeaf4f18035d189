import { expect, test } from "vitest";

import { firstIdAt } from "./time-of-id.ts";

test("the example of RFC 9562 begins with the first id of its time", () => {
  // A.6: 017F22E2-79B0-7CC3-98C4-DC0C0C07398F was made at this time.
  const first = firstIdAt("2022-02-22T14:22:22.000-05:00");
  expect(first).toBe("017f22e2-79b0-7000-8000-000000000000");
  expect(first < "017f22e2-79b0-7cc3-98c4-dc0c0c07398f").toBe(true);
});

test("ids sort as their times do, from 1970 on", () => {
  const times = [
    "1970-01-01T00:00:00Z",
    "2001-09-09T01:46:40Z",
    "2026-11-24T09:00:00.001Z",
    "9999-12-31T23:59:59Z",
  ];
  const ids = times.map(firstIdAt);
  expect(ids.toSorted()).toEqual(ids);
  expect(ids.every((id) => /^[0-9a-f]{8}-[0-9a-f]{4}-7000-8000-0{12}$/.test(id))).toBe(true);
});
