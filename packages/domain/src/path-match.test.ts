import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { createPathMatcher, matchPaths } from "./path-match.ts";

const matches = (target: { root?: string; globs?: string[] }, path: string) =>
  createPathMatcher({ projectRoot: target.root ?? "none", projectGlobs: target.globs ?? [] })(path) !== null;

describe("a project root (rule 18)", () => {
  test.each([
    ["infra", "infra/main.tf", true],
    ["infra", "infra2/main.tf", false],
    ["infra", "infra", true],
    ["infra", "modules/infra/main.tf", false],
    ["/infra/", "infra/main.tf", true],
    ["infra/net", "infra/network/main.tf", false],
    ["infra/net", "/infra/net/main.tf", true],
    ["", "anything/at/all", true],
    ["/", "main.tf", true],
    ["a.b", "axb/main.tf", false],
    ["ünïcode ☃", "ünïcode ☃/main.tf", true],
  ])("%j holds %j: %s", (root, path, expected) => {
    expect(matches({ root }, path)).toBe(expected);
  });

  test("holds every path made from it and a further segment, and none made by lengthening its name", () => {
    const segment = fc.stringMatching(/^[a-zA-Z0-9._-]{1,8}$/).filter((name) => !/^\.+$/.test(name));
    fc.assert(
      fc.property(fc.array(segment, { minLength: 1, maxLength: 4 }), segment, (root, name) => {
        const folder = root.join("/");
        expect(matches({ root: folder }, `${folder}/${name}`)).toBe(true);
        expect(matches({ root: folder }, `${folder}${name}/file`)).toBe(false);
      }),
    );
  });
});

describe("a project glob follows doublestar (rule 18)", () => {
  test.each([
    ["shared/**", "shared/a/b.tf", true],
    ["shared/**", "shared2/a.tf", false],
    ["shared/*", "shared/a.tf", true],
    ["shared/*", "shared/a/b.tf", false],
    ["**/*.tfvars", "deep/down/prod.tfvars", true],
    ["**/*.tfvars", "prod.tfvars", true],
    ["env/{dev,prod}/*.tf", "env/prod/main.tf", true],
    ["env/{dev,prod}/*.tf", "env/test/main.tf", false],
    ["file?.tf", "file1.tf", true],
    ["file?.tf", "file12.tf", false],
    ["[a-c].tf", "b.tf", true],
    ["[a-c].tf", "d.tf", false],
    ["**", ".github/workflows/ci.yml", true],
    ["*", ".hidden", true],
    ["/shared/**/", "shared/x", true],
    ["!shared/**", "other/x", false],
    ["a+(b)", "abb", false],
  ])("%j matches %j: %s", (glob, path, expected) => {
    expect(matches({ globs: [glob] }, path)).toBe(expected);
  });
});

test("matchPaths names the rule of each match, keeps as many as asked for, and counts all", () => {
  const matcher = createPathMatcher({ projectRoot: "net", projectGlobs: ["*.md"] });
  expect(matchPaths(matcher, ["net/a", "README.md", "db/b", "net/c"], 2)).toEqual({
    matches: [
      { path: "net/a", rule: { kind: "project_root", value: "net" } },
      { path: "README.md", rule: { kind: "project_glob", value: "*.md" } },
    ],
    total: 3,
  });
});
