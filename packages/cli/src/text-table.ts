import { toOneLine } from "./one-line.ts";

/** What a column shows of an entry; null: a dash. */
export interface Column<Item> {
  readonly title: string;
  readonly of: (item: Item) => string | number | boolean | null | undefined;
}

const GAP = "  ";
const CHARACTERS = new Intl.Segmenter();

/** A line an entry, in columns as wide as they have to be, under their titles. No entries, no text. */
export function formatTable<Item>(items: readonly Item[], columns: readonly Column<Item>[]): string {
  if (items.length === 0) return "";
  const rows = [
    columns.map(({ title }) => title),
    ...items.map((item) => columns.map((each) => cell(each.of(item)))),
  ];
  const widths = columns.map((_, index) => Math.max(...rows.map((row) => widthOf(row[index] ?? ""))));
  return rows
    .map((row) =>
      row
        .map((text, index) => pad(text, widths[index] ?? 0))
        .join(GAP)
        .trimEnd(),
    )
    .map((line) => `${line}\n`)
    .join("");
}

function cell(value: ReturnType<Column<never>["of"]>): string {
  const text = toOneLine(String(value ?? "")).trim();
  return text === "" ? "-" : text;
}

/** In characters as people count them: one with its accent, an emoji with its colour. */
function widthOf(text: string): number {
  return Array.from(CHARACTERS.segment(text)).length;
}

function pad(text: string, width: number): string {
  return text + " ".repeat(Math.max(0, width - widthOf(text)));
}
