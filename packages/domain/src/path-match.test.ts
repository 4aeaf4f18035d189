import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { compileGlob } from "./glob.ts";
import { matchPaths, type PathMatch } from "./path-match.ts";
import { trimSlashes } from "./target.ts";

interface Paths {
  readonly projectRoot: string;
  readonly projectGlobs: readonly string[];
}

const matches = (target: { root?: string; globs?: string[] }, path: string) =>
  matchPaths({ projectRoot: target.root ?? "none", projectGlobs: target.globs ?? [] }, [path], 1).total === 1;

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
  const target = { projectRoot: "net", projectGlobs: ["*.md", "**/c"] };
  expect(matchPaths(target, ["net/a", "README.md", "db/b", "net/c", "db/c"], 3)).toEqual({
    matches: [
      { path: "net/a", rule: { kind: "project_root", value: "net" } },
      { path: "README.md", rule: { kind: "project_glob", value: "*.md" } },
      { path: "net/c", rule: { kind: "project_root", value: "net" } },
    ],
    total: 4,
  });
});

/** Rule 18 word by word: each file beside the root, then beside each glob. */
function matchOneByOne({ projectRoot, projectGlobs }: Paths, paths: readonly string[], limit: number) {
  const root = trimSlashes(projectRoot);
  const ruleOf = (path: string): PathMatch["rule"] | null => {
    if (root === "" || path === root || path.startsWith(`${root}/`)) {
      return { kind: "project_root", value: root };
    }
    const glob = projectGlobs.find((one) => compileGlob(one)(path));
    return glob === undefined ? null : { kind: "project_glob", value: glob };
  };
  const all = paths.flatMap((path) => {
    const rule = ruleOf(trimSlashes(path));
    return rule === null ? [] : [{ path, rule }];
  });
  return { matches: all.slice(0, limit), total: all.length };
}

describe("looking in an index decides as comparing every file does", () => {
  // Few names, some of which begin others, and code units that sort on either side of a slash and of a surrogate.
  const name = fc.constantFrom("a", "ab", "a b", "a.b", "b", "A", "é", "😀", "\uffff");
  const slashes = fc.constantFrom("", "", "", "/");
  const path = fc
    .tuple(slashes, fc.array(name, { minLength: 1, maxLength: 4 }), slashes)
    .map(([before, names, after]) => before + names.join("/") + after);
  const pattern = fc.constantFrom(
    "*",
    "**",
    "?",
    "a*",
    "a**",
    "[a-c]",
    "[!a]*",
    "{a,b}",
    "{,a}b",
    "a\\*",
    "{a/,b}**",
  );
  const glob = fc
    .tuple(slashes, fc.array(fc.oneof(name, pattern), { minLength: 1, maxLength: 4 }), slashes)
    .map(([before, segments, after]) => before + segments.join("/") + after);
  const target = fc.record({
    projectRoot: fc.oneof({ weight: 9, arbitrary: path }, { weight: 1, arbitrary: fc.constant("") }),
    projectGlobs: fc.array(glob, { maxLength: 3 }),
  });

  test("for every target of one list, whichever are asked before it", () => {
    const found = { byRoot: 0, byGlob: 0, cut: 0 };
    fc.assert(
      fc.property(
        fc.array(target, { minLength: 1, maxLength: 5 }),
        fc.array(path, { maxLength: 12 }),
        fc.nat(6),
        (targets, paths, limit) => {
          for (const one of [...targets, ...targets]) {
            const { matches: some, total } = matchPaths(one, paths, limit);
            expect({ matches: some, total }).toEqual(matchOneByOne(one, paths, limit));
            found.byRoot += some.filter(({ rule }) => rule.kind === "project_root").length;
            found.byGlob += some.filter(({ rule }) => rule.kind === "project_glob").length;
            if (total > some.length) found.cut += 1;
          }
        },
      ),
      { numRuns: 2_000 },
    );
    // Else the property would say little.
    expect(Math.min(found.byRoot, found.byGlob, found.cut)).toBeGreaterThan(500);
  });
});
