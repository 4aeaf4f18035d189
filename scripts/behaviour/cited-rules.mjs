/** Which tests cite which rules, read from the titles in their sources: no test is run. */
import { parseAst } from "vitest/node";

/** Rules of a title: "(rule 14)", "(rules 19, 20)", "(rules 15 to 17)", "rules 7 and 8". */
const CITATION = /\brules? (\d+(?:(?:, and|,| and| to| or|–) ?\d+)*)/gi;
const RANGE = /(\d+)(?: to |–)(\d+)/g;
const DEFINES_TESTS = new Set(["describe", "it", "test"]);

/** The numbers that a title cites, each once, in rising order. */
export function listCitedRules(title) {
  const cited = new Set();
  for (const [, list] of title.matchAll(CITATION)) {
    for (const number of list.matchAll(/\d+/g)) cited.add(Number(number[0]));
    for (const [, from, to] of list.matchAll(RANGE)) {
      for (let number = Number(from); number < Number(to); number += 1) cited.add(number);
    }
  }
  return [...cited].toSorted((a, b) => a - b);
}

/**
 * The titles of a source that cite a rule, in its order: `title` with those of the groups around it, `rules`, and
 * `tests`, the number of tests that it stands for (many of a group, one of a table).
 */
export function listCitations(source) {
  const citations = [];
  visit(parseAst(source, { lang: "ts" }), [], (titles, tests) => {
    const rules = listCitedRules(titles.at(-1));
    if (rules.length > 0) citations.push({ title: titles.join(" › "), rules, tests });
  });
  return citations;
}

/** Tells each title, with those around it, in the order of the source. @returns how many tests are in `node`. */
function visit(node, around, tell) {
  if (node === null || typeof node !== "object") return 0;
  const title = titleOf(node);
  const titles = title === null ? around : [...around, title];
  // Held back until what it stands for is counted.
  const inside = [];
  const children = Array.isArray(node) ? node : Object.values(node);
  let tests = title !== null && calledName(node) !== "describe" ? 1 : 0;
  for (const child of children) tests += visit(child, titles, (...told) => inside.push(told));
  if (title !== null) tell(titles, tests);
  for (const told of inside) tell(...told);
  return tests;
}

/** The title of a call like `test("…", …)` or `describe.each(table)("…", …)`; null = it is no such call. */
function titleOf(node) {
  if (node.type !== "CallExpression" || !DEFINES_TESTS.has(calledName(node))) return null;
  const [first] = node.arguments;
  if (first?.type === "Literal" && typeof first.value === "string") return first.value;
  return first?.type === "TemplateLiteral" ? first.quasis.map(({ value }) => value.cooked).join("…") : null;
}

/** `test` of `test.each(table)("…")`. */
function calledName(node) {
  if (node.type === "Identifier") return node.name;
  if (node.type === "CallExpression") return calledName(node.callee);
  return node.type === "MemberExpression" ? calledName(node.object) : null;
}
