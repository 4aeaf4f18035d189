/** Turns measurements into tables. */
import type { Bar, Column, Measurement, RatioColumn, SuiteReport } from "../bench.ts";
import { pairedRatio, summarise, type Summary } from "../statistics.ts";

/** A bar and what was measured for it; `ratio` null = not measured. */
export interface BarResult {
  readonly bar: Bar;
  readonly ratio: Summary | null;
  readonly isMet: boolean;
}

/** Rows of cells, the first with the titles. */
export type Table = readonly (readonly string[])[];

/** One row for each subject: the median of each figure with the extremes, then the ratios. */
export function toTable(report: SuiteReport): Table {
  const titles = [
    "subject",
    ...report.columns.map(({ title }) => title),
    ...report.ratios.map(({ title }) => title),
  ];
  const rows = report.subjects.map(({ name }) => [
    name,
    ...report.columns.map((column) => figureCell(report.measurements, name, column)),
    ...report.ratios.map((ratio) => ratioCell(report.measurements, name, ratio)),
  ]);
  return [titles, ...rows];
}

/** Whether each bar is met by the median of its ratio. */
export function judgeBars(report: SuiteReport): readonly BarResult[] {
  return report.bars.map((bar) => {
    const ratio = ratioOf(report.measurements, bar);
    return { bar, ratio, isMet: ratio !== null && reaches(bar, ratio.median) };
  });
}

function reaches(bar: Bar, ratio: number): boolean {
  return "atLeast" in bar ? ratio >= bar.atLeast : ratio <= bar.atMost;
}

/** `12,345 (11,000–13,000)`, or the number alone where there is no range. */
export function formatSummary({ median, min, max }: Summary, digits: number): string {
  const text = (value: number): string =>
    value.toLocaleString("en-US", {
      minimumFractionDigits: digits,
      maximumFractionDigits: digits,
      // No "-0".
      signDisplay: "negative",
    });
  return text(min) === text(max) ? text(median) : `${text(median)} (${text(min)}–${text(max)})`;
}

function figureCell(measurements: readonly Measurement[], subject: string, column: Column): string {
  const values = measurements.flatMap((run) =>
    run.subject === subject ? (run.figures[column.key] ?? []) : [],
  );
  return values.length === 0 ? "–" : formatSummary(summarise(values), column.digits);
}

function ratioCell(measurements: readonly Measurement[], subject: string, column: RatioColumn): string {
  const ratio = ratioOf(measurements, { of: subject, to: column.to, key: column.key });
  return ratio === null ? "–" : formatSummary(ratio, 2);
}

/** Over the rounds in which both were measured. */
function ratioOf(
  measurements: readonly Measurement[],
  { of, to, key }: Pick<Bar, "of" | "to" | "key">,
): Summary | null {
  const pairs = measurements.flatMap((run) => {
    if (run.subject !== of) return [];
    const other = measurements.find(({ subject, round }) => subject === to && round === run.round);
    const [value, reference] = [run.figures[key], other?.figures[key]];
    return value === undefined || reference === undefined ? [] : [{ value, reference }];
  });
  if (pairs.length === 0) return null;
  return pairedRatio(
    pairs.map(({ value }) => value),
    pairs.map(({ reference }) => reference),
  );
}
