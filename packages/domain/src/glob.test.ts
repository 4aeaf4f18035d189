import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { compileGlob, literalStart } from "./glob.ts";
import { GlobInvalidError } from "./glob-steps.ts";

describe("a glob means what it means to doublestar", () => {
  test.each([
    // What has no meaning in doublestar is itself.
    ["infra (copy)/**", "infra (copy)/a.tf", true],
    ["(a|b)/**", "a/x", false],
    ["(a|b)/**", "(a|b)/x", true],
    ["(a+)+b", "aab", false],
    ["(a+)+b", "(a+)+b", true],
    ["{1..3}.tf", "2.tf", false],
    ["{1..3}.tf", "1..3.tf", true],
    ["a]", "a]", true],
    ["a,b", "a,b", true],
    ["!a", "b", false],
    ["a.b", "axb", false],
    // One character is a code point, and never a slash.
    ["?", "😀", true],
    ["??", "😀", false],
    ["?", "/", false],
    ["a?b", "a/b", false],
    ["[!a]x", "bx", true],
    ["[!a]x", "ax", false],
    ["[^a]x", "😀x", true],
    ["[!a]", "/", false],
    ["[.-0]", "/", false],
    ["a[/]b", "a/b", false],
    ["[a-ζ]*", "α", true],
    ["[😀-😂]", "😁", true],
    ["[a-]", "-", true],
    ["[-a]", "-", true],
    ["[a-c-e]", "d", false],
    ["[a-c-e]", "e", true],
    ["[a\\-c]", "b", false],
    ["[\\]a]", "]", true],
    ["[a!]", "!", true],
    ["[{,}]", ",", true],
    // A star stays within a level.
    ["*", "", true],
    ["*", "a", true],
    ["a*", "a/b", false],
    ["a*b?c*x", "abxbbxdbxebxczzx", true],
    ["a*b?c*x", "abxbbxdbxebxczzy", false],
    ["a\\*b", "a*b", true],
    ["a\\*b", "axb", false],
    ["a\\/b", "a/b", true],
    // Two stars are levels only as a whole segment.
    ["a/**", "a", true],
    ["a/**", "a/b/c", true],
    ["a/**", "ab", false],
    ["a/**/b", "a/b", true],
    ["a/**/b", "a/x/y/b", true],
    ["a/**/b", "a/xb", false],
    ["**/b", "b", true],
    ["**/b", "ab", false],
    ["**/a/**/b/**", "x/a/b", true],
    ["**/**", "a", true],
    ["a**", "ab", true],
    ["a**", "ab/c", false],
    ["**a", "b/a", false],
    ["***", "a/b", false],
    ["*/**", "a", true],
    ["a/\\**", "a/b", false],
    // Alternatives hold anything, and `**` has the neighbours of the one taken.
    ["{a,b/c}/*.tf", "b/c/x.tf", true],
    ["{a,{b,c}d}e", "cde", true],
    ["{a,{b,c}d}e", "ce", false],
    ["a{,b}", "a", true],
    ["a{}b", "ab", true],
    ["{a}", "a", true],
    ["{a\\,b,c}", "a,b", true],
    ["{[,]a,b}", ",a", true],
    ["{x,**}/b", "p/q/b", true],
    ["x{**,y}/b", "xp/q/b", false],
    ["a{/**,}/b", "a/x/y/b", true],
    ["{a/,b}**", "a/x/y", true],
    ["{a/,b}**", "bx/y", false],
    ["**{/a,b}", "x/y/a", true],
    ["**{/a,b}", "xb", true],
    ["**{/a,b}", "x/yb", false],
    // Slashes around it are trimmed.
    ["/a/", "a", true],
  ])("%j matches %j: %s", (glob, path, expected) => {
    expect(compileGlob(glob)(path)).toBe(expected);
  });

  test("one compiled glob answers for each path alone", () => {
    const matches = compileGlob("**/{a,b}?.tf");
    const paths = ["x/a1.tf", "x/c1.tf", "b2.tf", "", "b2.tf/x", "x/a1.tf"];
    expect(paths.map(matches)).toEqual([true, false, true, false, false, true]);
  });
});

test.each([
  ["modules/network/**", "modules/network/"],
  ["/teams/a?", "teams/a"],
  ["docs/README.md", "docs/README.md/"],
  ["**/x", ""],
  ["a\\*b", "a"],
  ["{a,b}/c", ""],
  ["a[", "a"],
])("every match of %j begins with %j", (glob, start) => {
  expect(literalStart(glob)).toBe(start);
});

describe("a glob that is not valid is refused with what is wrong and where", () => {
  test.each([
    ["", "it is empty"],
    ["//", "it is empty"],
    ["a[", "the [ is not closed (character 2)"],
    ["[!", "the [ is not closed (character 1)"],
    ["[a-", "the [ is not closed (character 1)"],
    ["[a\\", "the [ is not closed (character 1)"],
    ["[a\\]", "the [ is not closed (character 1)"],
    ["[]a]", "the class is empty: write \\] for a ] in it (character 1)"],
    ["[^]", "the class is empty: write \\] for a ] in it (character 1)"],
    ["a[z-a]", "the range z-a runs backwards (character 2)"],
    ["a/{b,c", "the { is not closed (character 3)"],
    ["{a,{b}", "the { is not closed (character 1)"],
    ["a}", "the } closes nothing (character 2)"],
    ["/a\\", "the \\ escapes nothing (character 3)"],
    ["/😀[", "the [ is not closed (character 3)"],
  ])("%j: %s", (glob, problem) => {
    let thrown: unknown;
    try {
      compileGlob(glob);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(GlobInvalidError);
    expect(thrown).toMatchObject({ code: "glob_invalid", retry: "never", problem });
    expect((thrown as Error).message).toBe(`The glob ${JSON.stringify(glob)} is not valid: ${problem}`);
  });
});

describe("time is bounded by glob times path", () => {
  // With backtracking, or with alternatives written out, none of these would end before the test runner gives up.
  test.each([
    ["stars", `${"*a".repeat(100)}b`, "a".repeat(4_000)],
    ["levels", `${"**/a/".repeat(40)}b`, "a/".repeat(2_000) + "c"],
    ["alternatives", `${"{a,aa}".repeat(33)}b`, "a".repeat(66)],
    ["stars in nested alternatives", `${"{*a,".repeat(40)}b${"}*".repeat(40)}c`, "a".repeat(1_000)],
    ["braces as deep as can be written", "{".repeat(5_000) + "a" + "}".repeat(5_000), "b"],
  ])("%s", (_, glob, path) => {
    expect(compileGlob(glob)(path)).toBe(false);
  });
});

/** A glob as a tree: a text that is one token, or alternatives. */
type Piece = string | Piece[][];

const { sequence } = fc.letrec<{ piece: Piece; sequence: Piece[] }>((tie) => ({
  piece: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    fc.constantFrom("a", "b", "😀", "/", "/", "*", "**", "**", "?", "[ab]", "[!a]", "[^/b]", "\\*"),
    fc.array(tie("sequence"), { minLength: 1, maxLength: 3 }),
  ),
  // Stars side by side would be read as one token.
  sequence: fc
    .array(tie("piece"), { maxLength: 6 })
    .map((pieces) => pieces.filter((piece, index) => !(isStars(piece) && isStars(pieces[index - 1])))),
}));
// Few enough choices for the reference to write them all out.
const globTree = sequence.map(trimmed).filter((pieces) => pieces.length > 0 && choiceCount(pieces) <= 200);
const somePath = fc
  .array(fc.string({ unit: fc.constantFrom("a", "b", "😀", "*"), minLength: 1, maxLength: 3 }), {
    minLength: 1,
    maxLength: 4,
  })
  .map((segments) => segments.join("/"));

function isStars(piece: Piece | undefined): boolean {
  return piece === "*" || piece === "**";
}

function trimmed(pieces: Piece[]): Piece[] {
  const start = pieces.findIndex((piece) => piece !== "/");
  return start < 0 ? [] : pieces.slice(start, pieces.findLastIndex((piece) => piece !== "/") + 1);
}

function written(pieces: readonly Piece[]): string {
  return pieces
    .map((piece) => (typeof piece === "string" ? piece : `{${piece.map(written).join(",")}}`))
    .join("");
}

function choiceCount(pieces: readonly Piece[]): number {
  return pieces.reduce<number>(
    (product, piece) =>
      typeof piece === "string"
        ? product
        : product * piece.reduce((sum, alternative) => sum + choiceCount(alternative), 0),
    1,
  );
}

/** Every choice of alternatives, as tokens. */
function expanded(pieces: readonly Piece[]): string[][] {
  const [piece, ...rest] = pieces;
  if (piece === undefined) return [[]];
  const heads = typeof piece === "string" ? [[piece]] : piece.flatMap(expanded);
  return heads.flatMap((head) => expanded(rest).map((tail) => [...head, ...tail]));
}

function inSegments(tokens: readonly string[]): string[][] {
  const segments: string[][] = [[]];
  for (const token of tokens) {
    if (token === "/") segments.push([]);
    else segments.at(-1)!.push(token);
  }
  return segments;
}

function segmentsMatch(glob: readonly string[][], path: readonly string[]): boolean {
  const [first, ...rest] = glob;
  if (first === undefined) return path.length === 0;
  if (first.length === 1 && first[0] === "**" && segmentsMatch(rest, path)) return true;
  if (path.length === 0) return false;
  if (first.length === 1 && first[0] === "**") return segmentsMatch(glob, path.slice(1));
  return segmentMatches(first, Array.from(path[0]!)) && segmentsMatch(rest, path.slice(1));
}

function segmentMatches(tokens: readonly string[], characters: readonly string[]): boolean {
  const [token, ...rest] = tokens;
  const [character, ...others] = characters;
  if (token === undefined) return character === undefined;
  if (isStars(token)) {
    return segmentMatches(rest, characters) || (character !== undefined && segmentMatches(tokens, others));
  }
  const taken: Record<string, (one: string) => boolean> = {
    "?": () => true,
    "[ab]": (one) => one === "a" || one === "b",
    "[!a]": (one) => one !== "a",
    "[^/b]": (one) => one !== "b",
    "\\*": (one) => one === "*",
  };
  if (character === undefined || !(taken[token] ?? ((one) => one === token))(character)) return false;
  return segmentMatches(rest, others);
}

test("a glob matches what one of its choices matches, segment by segment, and nothing that begins otherwise", () => {
  let matched = 0;
  fc.assert(
    fc.property(globTree, fc.array(somePath, { minLength: 1, maxLength: 10 }), (tree, paths) => {
      const choices = expanded(tree);
      const matches = compileGlob(written(tree));
      for (const path of paths) {
        const expected = choices.some((tokens) => segmentsMatch(inSegments(tokens), path.split("/")));
        expect(matches(path), `${written(tree)} on ${path}`).toBe(expected);
        if (!expected) continue;
        matched += 1;
        expect(`${path}/`.startsWith(literalStart(written(tree))), `${written(tree)} on ${path}`).toBe(true);
      }
    }),
    { numRuns: 1_000 },
  );
  // Else the property would say little.
  expect(matched).toBeGreaterThan(100);
});
