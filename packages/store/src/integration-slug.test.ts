import { expect, test } from "vitest";

import { integrationSlug } from "./integration-slug.ts";

test.each([
  ["Acme", "acme"],
  ["Acme  Labs (EU)", "acme-labs-eu"],
  ["_café—Zürich_", "cafe-zurich"],
  ["a".repeat(100), "a".repeat(63)],
  [`${"a".repeat(62)} b`, "a".repeat(62)],
  ["本", null],
  ["--", null],
])("the slug of %j is %j (rule 1)", (name, slug) => {
  expect(integrationSlug(name)).toBe(slug);
});

test("a slug is its own slug, so that it can be taken for a name", () => {
  for (const name of ["Acme Labs", "x_y.z", "Ünï 9"]) {
    const slug = integrationSlug(name) ?? "";
    expect(integrationSlug(slug)).toBe(slug);
  }
});
