import { expect, test } from "vitest";

import { type Column, formatTable } from "./text-table.ts";

interface File {
  readonly name: string | null;
  readonly size: number;
}

const columns: readonly Column<File>[] = [
  { title: "NAME", of: ({ name }) => name },
  { title: "SIZE", of: ({ size }) => size },
];

test("columns are as wide as their widest entry, and what is missing is a dash", () => {
  const items = [
    { name: "a", size: 1 },
    { name: null, size: 20 },
    { name: "a longer one", size: 3 },
  ];
  expect(formatTable(items, columns)).toBe(
    ["NAME          SIZE", "a             1", "-             20", "a longer one  3", ""].join("\n"),
  );
});

test("characters of several code points count once, and none ends a line or speaks to the terminal", () => {
  const name = [
    { title: "NAME", of: (text: string) => text },
    { title: "X", of: () => "x" },
  ];
  const table = formatTable(["e\u0301\u0301", "ab\ncd", "\u001b[2Jab\u009b"], name);
  expect(table).toBe("NAME   X\ne\u0301\u0301      x\nab cd  x\n[2Jab  x\n");
});

test("no entries are no text, not even titles", () => {
  expect(formatTable([], columns)).toBe("");
});
