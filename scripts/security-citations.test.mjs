/** The tests that docs/security.md cites are there: a threat whose test was renamed or deleted is noticed. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const folder = join(dirname(dirname(fileURLToPath(import.meta.url))), "docs");
const text = readFileSync(join(folder, "security.md"), "utf8");
const citations = [...text.matchAll(/\[`([^`]+)`\]\(([^)#]+)\)/g)].map(([, title, path]) => ({
  title,
  path,
}));

test("each cited test is in its file, under its title", () => {
  expect(citations.length).toBeGreaterThan(40);
  const isThere = ({ title, path }) =>
    existsSync(join(folder, path)) && readFileSync(join(folder, path), "utf8").includes(title);
  expect(citations.filter((citation) => !isThere(citation))).toEqual([]);
});

test("every threat that code answers cites a test", () => {
  const threats = text.slice(text.indexOf("## Threats"), text.indexOf("## Rotating")).split("\n- ").slice(1);
  expect(threats.length).toBeGreaterThan(20);
  const without = threats
    .filter((threat) => !threat.includes("](../"))
    .map((threat) => threat.split("**")[1]);
  // Answered by what people do.
  expect(without).toEqual(["Stolen encryption key."]);
});
