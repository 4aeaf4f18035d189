/** Holds docs/behaviour.md and the titles of the tests together. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { listCitations, listCitedRules } from "./behaviour/cited-rules.mjs";
import { renderBehaviour } from "./behaviour/document.mjs";
import { chapters } from "./behaviour/rules.mjs";
import { root } from "./bootstrap.mjs";

test("docs/behaviour.md is what the rules and the tests say: run `npm run docs:behaviour` after a change", () => {
  expect(readFileSync(join(root, "docs/behaviour.md"), "utf8")).toBe(renderBehaviour(root));
});

test("the numbers of the rules have no gap, and each is given once", () => {
  const numbers = chapters.flatMap(({ rules }) => Object.keys(rules).map(Number));
  expect(numbers).toEqual(Array.from({ length: 34 }, (_, index) => index + 1));
});

describe("a title", () => {
  test.each([
    ["late pushes (rule 14)", [14]],
    ["by role (rules 20, 19)", [19, 20]],
    ["as written (rules 7 and 8)", [7, 8]],
    ["all of it (rules 15 to 17, 19)", [15, 16, 17, 19]],
    ["all of it (rules 15–17)", [15, 16, 17]],
    ["Rule 9 is kept", [9]],
    ["once (rule 26), and then stale (rule 14)", [14, 26]],
    ["overrules 9 others, by the ruler 7", []],
  ])("%j cites %j", (title, rules) => {
    expect(listCitedRules(title)).toEqual(rules);
  });
});

describe("a source", () => {
  test("tells its citations with the groups around them, and how many tests each stands for", () => {
    const source = `
      describe("a push (rule 1)", () => {
        test.each<[string]>([["a"], ["b"]])("of %s (rule 2)", () => undefined);
        it.skipIf(isRoot)(\`again \${name} (rule 3)\`, { timeout: 5 }, () => undefined);
      });
      test("that is not about a rule", () => expect("rule 4").toBe("rule 4"));`;
    expect(listCitations(source)).toEqual([
      { title: "a push (rule 1)", rules: [1], tests: 2 },
      { title: "a push (rule 1) › of %s (rule 2)", rules: [2], tests: 1 },
      { title: "a push (rule 1) › again … (rule 3)", rules: [3], tests: 1 },
    ]);
  });
});
