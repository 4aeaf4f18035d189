import { expect, test } from "vitest";

import { findLeaks } from "./secrets-stay-secret-search.ts";

const SECRETS = new Map([["token", "LEAK+token/of=the~test"]]);

function formsIn(text: string): string[] {
  return findLeaks([{ place: "here", text }], SECRETS).flatMap(({ forms }) => forms);
}

test.each([
  ["plain", "a LEAK+token/of=the~test b"],
  ["URL-encoded", "?token=LEAK%2Btoken%2Fof%3Dthe~test&b"],
  ["base64", Buffer.from("ada@acme.example:LEAK+token/of=the~test").toString("base64")],
  ["base64", Buffer.from("xLEAK+token/of=the~test and more").toString("base64url")],
  ["hex", String.raw`(\x${Buffer.from("aLEAK+token/of=the~testb").toString("hex")})`],
])("a secret that is there as %s is found", (form, text) => {
  expect(formsIn(text)).toContain(form);
});

test("a secret is found in the base64 of whatever it is part of", () => {
  for (const encoding of ["base64", "base64url"] as const) {
    for (let length = 0; length < 12; length += 1) {
      const text = `${"é".repeat(length)}x${SECRETS.get("token") ?? ""}${"?".repeat(length)}`;
      expect(
        formsIn(
          Buffer.from(text)
            .subarray(length % 2)
            .toString(encoding),
        ),
      ).toContain("base64");
    }
  }
});

test("a secret that is so short that anything may hold it is refused", () => {
  expect(() => findLeaks([], new Map([["token", ""]]))).toThrow("token has 0 characters");
});

test("a part of a secret is none, nor is another one", () => {
  expect(formsIn("LEAK+token/of=the~tes")).toEqual([]);
  expect(formsIn("leak+token/of=the~test")).toEqual([]);
  expect(formsIn("")).toEqual([]);
});
