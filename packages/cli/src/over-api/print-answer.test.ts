import { expect, test } from "vitest";

import { toText } from "./print-answer.ts";

test("a document is shown whole, and nothing in it speaks to the terminal", () => {
  const text = toText({
    name: "acme \u001b[2J\u009b31m",
    description: "two\nlines",
    none: null,
    labels: ["a", "\u007f"],
    id: "0012",
    details: { enabled: true },
  });
  // oxlint-disable-next-line no-control-regex -- it looks for them
  expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
  expect(text).toContain("name: ");
  expect(text).toContain('id: "0012"\n');
  expect(text).toContain("none: null\n");
  expect(text).toContain("details:\n  enabled: true\n");
});
