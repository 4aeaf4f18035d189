import { expect, test } from "vitest";
import { replaceSection } from "./markdown.ts";

const document = "# Title\n\n<!-- bench:ingest -->\n\nold\n\n<!-- /bench:ingest -->\n\nThe end.\n";

test("a section takes the place of the old one, and nothing else changes", () => {
  const replaced = replaceSection(document, "ingest", "new");
  expect(replaced).toBe(document.replace("old", "new"));
  expect(replaceSection(replaced!, "ingest", "new")).toBe(replaced);
});

test("a document without the suite's markers is left to whoever asked", () => {
  expect(replaceSection(document, "worker", "new")).toBeNull();
});
