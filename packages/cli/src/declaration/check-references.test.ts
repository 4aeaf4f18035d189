import { describe, expect, test } from "vitest";

import { problemsOf } from "./test-problems.ts";

describe("an integration of a space", () => {
  const tree = (inherit: string, used: string) => `version: 1
spaces:
  - { name: a }
  - { name: b, parent: a, inherit_entities: ${inherit} }
  - { name: c, parent: b, inherit_entities: true }
integrations: [{ name: acme, space: a, credential: { kind: access_token, token: "\${TOKEN}" } }]
stacks: [{ name: s, space: ${used}, integration: acme, repository: x/y, tracked_branch: m }]`;

  test.each(["a", "b", "c"])("can be used in %s, there or below through an unbroken chain", (used) => {
    expect(problemsOf(tree("true", used))).toEqual([]);
  });

  test.each(["b", "c", "root"])("cannot be used in %s where the chain is broken, or above", (used) => {
    expect(problemsOf(tree("false", used))).toEqual([
      expect.stringMatching(
        /^s\.yaml:7:\d+: stack s in space \w+ cannot use integration acme of space a: it can be used there, and below/,
      ),
    ]);
  });

  test("is not what a stack uses that names none: only the default is", () => {
    const text = tree("true", "a").replace("integration: acme, ", "");
    expect(problemsOf(text)).toEqual([
      "s.yaml:7:18: stack s names no integration, and there is no default one",
    ]);
  });
});

describe("a name", () => {
  const declare = (space: string, used: string) => `version: 1${DEFAULT}
spaces: [{ name: "${space}" }]
stacks: [{ name: s, space: "${used}", repository: x/y, tracked_branch: m }]`;
  const DEFAULT = `
integrations: [{ name: acme, default: true, credential: { kind: access_token, token: "\${TOKEN}" } }]`;

  test("is the same, however its letters with marks are spelt", () => {
    expect(problemsOf(declare("Caf\u00E9", "Cafe\u0301"))).toEqual([]);
  });

  test("with characters that nobody sees is refused, where it is written and where it is used", () => {
    expect(problemsOf(declare("a\u202Eb", "a\u202Eb"))).toEqual([
      expect.stringMatching(/^s\.yaml:3:\d+: name "a.b" holds a character that is not seen \(U\+202E\)$/),
      expect.stringMatching(/^s\.yaml:4:\d+: space "a.b" holds a character that is not seen \(U\+202E\)$/),
    ]);
  });
});
