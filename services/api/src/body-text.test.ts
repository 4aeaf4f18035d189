import { expect, test } from "vitest";

import { text } from "./body-text.ts";

test.each([
  ["plain", "main"],
  ["a character of two units", "\u{1F600}"],
  ["what stands for an unknown character", "\u{FFFD}"],
  ["a line break", "a\nb"],
])("%s is text", (_, value) => {
  expect(text(10).safeParse(value)).toEqual({ success: true, data: value });
});

test.each([
  ["nothing", ""],
  ["too much", "12345678901"],
  ["a NUL", "a\0b"],
  ["the first half of a character", "a\ud83d"],
  ["the second half of a character", "\ude00a"],
  ["two halves in the wrong order", "\ude00\ud83d"],
])("%s is not", (_, value) => {
  expect(text(10).safeParse(value).success).toBe(false);
});
