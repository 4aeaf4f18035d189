import { expect, test } from "vitest";

import { toDistinctJson } from "./distinct-json.ts";

test("each value is found at its place, and the same one is listed once", () => {
  const values = [{ a: 1 }, { b: ['"', "], ["] }, { a: 1 }, {}, { b: ['"', "], ["] }];
  const { list, places } = toDistinctJson(values);
  const listed = JSON.parse(list) as unknown[];
  expect(places.map((place) => listed[place])).toEqual(values);
  expect(listed).toHaveLength(3);
});

test("of nothing the list is empty", () => {
  expect(toDistinctJson([])).toEqual({ list: "[]", places: [] });
});
