import fc from "fast-check";
import { describe, expect, test } from "vitest";

import {
  branchProblem,
  globProblem,
  labelProblem,
  lineProblem,
  MAX_METADATA_BYTES,
  metadataProblem,
  nameProblem,
  projectRootProblem,
} from "./target-values.ts";

describe("a name", () => {
  test.each(["network", "Café", "名前", "نام‌ها", "🧑‍🚒 team", "a b", "x".repeat(100), "<script>", "../a"])(
    "can be %s",
    (name) => {
      expect(nameProblem(name)).toBeNull();
    },
  );

  test.each([
    ["a NUL", "a\0b", "holds a control character"],
    ["a line feed", "a\nb", "holds a control character"],
    ["an end of another direction", "a\u202Eb", "holds a character that is not seen (U+202E)"],
    ["a zero-width blank", "a\u200Bb", "holds a character that is not seen (U+200B)"],
    ["a byte order mark", "\uFEFFa", "holds a character that is not seen (U+FEFF)"],
    ["a filler that looks like a blank", "a\u3164", "holds a character that is not seen (U+3164)"],
    ["a tag character", "a\u{E0041}", "holds a character that is not seen (U+E0041)"],
    ["a line separator", "a\u2028b", "holds a character that is not seen (U+2028)"],
    ["half a surrogate pair", "a\uD83D", "holds half a surrogate pair"],
    ["a blank before it", " a", "begins or ends with a blank"],
    ["a blank of another width after it", "a\u3000", "begins or ends with a blank"],
  ])("cannot have %s", (_, name, problem) => {
    expect(nameProblem(name)).toBe(problem);
  });

  test("that is none is no label either, unless it is for the blanks around it", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (name) => {
        expect(labelProblem(name) === null && name.trim() === name).toBe(nameProblem(name) === null);
      }),
    );
  });

  test("and a line of text go through UTF-8 unchanged, or are refused", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit)) }),
        (text) => {
          if (lineProblem(text) !== null) return;
          expect(new TextDecoder("utf-8", { ignoreBOM: true }).decode(new TextEncoder().encode(text))).toBe(
            text,
          );
        },
      ),
    );
  });
});

test.each(["main", "feature/ünï", "a.b", "release-1"])("%j is a branch", (branch) => {
  expect(branchProblem(branch)).toBeNull();
});

test.each([
  ["refs/heads/main", /is not the name of a branch/],
  ["a..b", /is not the name of a branch/],
  ["a.lock", /is not the name of a branch/],
  ["a b", /is not the name of a branch/],
  ["a\u0007", /holds a control character/],
  ["a\uD800", /holds half a surrogate pair/],
])("%j is no branch: it %s", (branch, problem) => {
  expect(branchProblem(branch)).toMatch(problem);
});

test.each(["", "/", "infra", "/infra/", "infra/eu west", "ünï/x"])("%j is a folder", (path) => {
  expect(projectRootProblem(path)).toBeNull();
});

test.each(["..", "infra/../x", "./infra", "a//b", "a\nb", "a\uDC00"])("%j is no folder", (path) => {
  expect(projectRootProblem(path)).toMatch(/is not a folder/);
});

test.each(["modules/**", "*.{tf,tfvars}", "/a b/[a-z]?"])("%j is a glob", (glob) => {
  expect(globProblem(glob)).toBeNull();
});

test.each([
  ["!modules/**", /cannot exclude/],
  ["../modules/**", /is not a path/],
  ["a\n", /is not a path/],
  ["modules/[a-", /is not a glob: /],
])("%j is no glob: it %s", (glob, problem) => {
  expect(globProblem(glob)).toMatch(problem);
});

describe("metadata", () => {
  test("may hold 16 KiB as Postgres writes it, and no byte more", () => {
    // `{"a": "…"}` has nine characters around the text.
    const text = "x".repeat(MAX_METADATA_BYTES - 9);
    expect(metadataProblem({ a: text })).toBeNull();
    expect(metadataProblem({ a: `${text}x` })).toBe("is larger than 16384 bytes");
  });

  test("is measured with the digits that Postgres writes of a number", () => {
    expect(metadataProblem({ a: Array.from({ length: 100 }, () => 1e300) })).toBe(
      "is larger than 16384 bytes",
    );
    expect(metadataProblem({ a: Array.from({ length: 100 }, () => 1e-300) })).toBe(
      "is larger than 16384 bytes",
    );
    expect(metadataProblem({ a: 1e300 })).toBeNull();
  });

  test.each([
    ["a NUL", { a: { b: "x\0" } }, "holds a NUL character"],
    ["a NUL in a key", { a: [{ "x\0": 1 }] }, "holds a NUL character"],
    ["half a surrogate pair", { a: ["\uDC00"] }, "holds half a surrogate pair"],
    ["a number beyond all numbers", { a: Infinity }, "holds a number that JSON cannot say"],
  ])("cannot hold %s", (_, metadata, problem) => {
    expect(metadataProblem(metadata)).toBe(problem);
  });

  test("as deep as a body can be is refused without running out of stack", () => {
    const nested: unknown = JSON.parse(`${"[".repeat(100_000)}${"]".repeat(100_000)}`);
    expect(metadataProblem({ nested })).toBe("is deeper than 64 levels");
  });
});
