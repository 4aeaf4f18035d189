/** docs/behaviour.md: the rules, and the tests that cite each. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { listCitations } from "./cited-rules.mjs";
import { chapters } from "./rules.mjs";

const NO_TESTS = "none yet";
const INTRODUCTION = `# Behaviour

What happens between a webhook and a trigger: every rule, and the tests that cite its number in their titles.

This file is printed by \`npm run docs:behaviour\`: change the rules (\`scripts/behaviour/rules.mjs\`) or the titles, not the
file.
`;

/** The whole text, from the rules and the tests of the checkout `root`. @throws Error naming a title whose rule there is not. */
export function renderBehaviour(root) {
  const cited = citedFrom(root);
  return [INTRODUCTION, ...chapters.map((chapter) => renderTable(chapter, cited)), renderTests(cited)].join(
    "\n",
  );
}

/** number → its text and the citations of it, in the order of the rules. */
function citedFrom(root) {
  const rules = chapters.flatMap(({ rules: ofChapter }) => Object.entries(ofChapter));
  const cited = new Map(rules.map(([number]) => [Number(number), []]));
  for (const file of listTestFiles(root)) {
    for (const citation of listCitations(readFileSync(join(root, file), "utf8"))) {
      for (const number of citation.rules) {
        const citations = cited.get(number);
        if (citations === undefined)
          throw new Error(`${file}: there is no rule ${number} ("${citation.title}")`);
        citations.push({ file, ...citation });
      }
    }
  }
  return cited;
}

/** As Vitest finds them (vitest.config.ts), in one order on every machine. */
function listTestFiles(root) {
  const sources = ["packages", "services"].flatMap((kind) =>
    readdirSync(join(root, kind)).map((name) => `${kind}/${name}/src`),
  );
  return ["scripts", ...sources.filter((folder) => existsSync(join(root, folder)))]
    .flatMap((folder) => listBelow(root, folder))
    .filter((file) => /\.test\.m?[jt]s$/.test(file))
    .toSorted();
}

function listBelow(root, folder) {
  const names = readdirSync(join(root, folder), { recursive: true, encoding: "utf8" });
  return names.map((name) => `${folder}/${name}`);
}

function renderTable({ title, rules }, cited) {
  const rows = Object.entries(rules).map(([number, text]) => {
    const tests = cited.get(Number(number)).reduce((sum, citation) => sum + citation.tests, 0);
    const count = tests === 0 ? NO_TESTS : `[${tests}](#rule-${number})`;
    return `| ${number} | ${text} | ${count} |`;
  });
  return [`## ${title}`, "", "| Rule | What holds | Tests |", "| --- | --- | --- |", ...rows, ""].join("\n");
}

function renderTests(cited) {
  const sections = [...cited].flatMap(([number, citations]) =>
    citations.length === 0 ? [] : [`### Rule ${number}\n\n${renderCitations(citations)}\n`],
  );
  return ["## Tests\n\nA group of tests or a table of cases is named once, with the number of its tests.\n"]
    .concat(sections)
    .join("\n");
}

function renderCitations(citations) {
  const files = [...new Set(citations.map(({ file }) => file))];
  const ofFile = (path) => citations.filter(({ file }) => file === path).map(renderCitation);
  return files.map((file) => [`- \`${file}\``, ...ofFile(file)].join("\n")).join("\n");
}

function renderCitation({ title, tests }) {
  return `  - ${escapeMarkdown(title)}${tests === 1 ? "" : ` (${tests} tests)`}`;
}

function escapeMarkdown(text) {
  return text.replaceAll(/\s+/g, " ").replaceAll(/[\\`*_<>[\]]/g, String.raw`\$&`);
}
