import fc from "fast-check";
import { expect, it } from "vitest";

import { clippedText, storableText } from "./storable-text.ts";

const anyText = fc.string({
  unit: fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code)),
});

it("leaves what Postgres holds as it is, astral characters too", () => {
  expect(storableText("naïve 😀 \t\n")).toBe("naïve 😀 \t\n");
});

it("replaces NUL and half surrogate pairs", () => {
  expect(storableText("a\0b\ud83d c\ude00")).toBe("a\ufffdb\ufffd c\ufffd");
});

it("gives text that survives UTF-8 and holds no NUL, for any text", () => {
  fc.assert(
    fc.property(anyText, (text) => {
      const stored = storableText(text);
      expect(stored).not.toContain("\0");
      expect(Buffer.from(stored, "utf8").toString("utf8")).toBe(stored);
      expect(storableText(stored)).toBe(stored);
    }),
  );
});

it("clips to the length given, and never leaves half a character", () => {
  expect(clippedText("ab😀", 3)).toBe("ab");
  expect(clippedText("ab😀", 4)).toBe("ab😀");
  fc.assert(
    fc.property(anyText, fc.integer({ min: 1, max: 20 }), (text, length) => {
      const clipped = clippedText(text, length);
      expect(clipped.length).toBeLessThanOrEqual(length);
      expect(storableText(text.slice(0, length)).startsWith(clipped)).toBe(true);
    }),
  );
});
