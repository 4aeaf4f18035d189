/** The tables as Markdown, and where they go in a document. */
import type { SuiteReport } from "../bench.ts";
import type { Machine } from "../machine.ts";
import type { SuiteName } from "../options.ts";
import { formatSummary, judgeBars, toTable, type Table } from "./format.ts";

/** How a report came to be. */
export interface Provenance {
  readonly machine: Machine;
  readonly command: string;
  /** ISO 8601. */
  readonly date: string;
  readonly seconds: number;
  readonly runs: number;
}

/** A suite's tables with all that is needed to judge them. */
export function toMarkdown(report: SuiteReport, provenance: Provenance): string {
  const { machine, command, date, seconds, runs } = provenance;
  const where = `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB, ${machine.system}; Node ${machine.node.slice(1)}, PostgreSQL ${machine.postgres}, Redis ${machine.redis}`;
  return [
    `\`${command}\`, ${date.slice(0, 10)}. ${where}.`,
    report.extent ??
      `${runs} rounds of ${seconds} s; median (least–most) of the rounds, ratios within a round.`,
    "",
    ...markdownTable(toTable(report)),
    "",
    ...report.subjects.map(({ name, description }) => `- **${name}**: ${description}`),
    ...barLines(report),
    ...report.voidRuns.map(
      ({ subject, round, reason }) => `- VOID: ${subject}, round ${round}: ${firstLine(reason)}`,
    ),
  ].join("\n");
}

/** One line for each bar: what was asked, what came out. */
function barLines(report: SuiteReport): string[] {
  const lines = judgeBars(report).map(({ bar, ratio, isMet }) => {
    const measured =
      ratio === null ? "not measured" : `${formatSummary(ratio, 2)}, ${isMet ? "met" : "NOT MET"}`;
    return `- ${bar.title}: ${measured}.`;
  });
  return lines.length === 0 ? [] : ["", "Bars:", "", ...lines];
}

/** The document with the section between the suite's markers replaced; null = it has no such markers. */
export function replaceSection(document: string, suite: SuiteName, section: string): string | null {
  const [begin, end] = [`<!-- bench:${suite} -->`, `<!-- /bench:${suite} -->`];
  const from = document.indexOf(begin);
  const to = document.indexOf(end);
  if (from === -1 || to < from) return null;
  return `${document.slice(0, from + begin.length)}\n\n${section}\n\n${document.slice(to)}`;
}

function markdownTable(table: Table): string[] {
  const widths = (table[0] ?? []).map((_, column) =>
    Math.max(...table.map((row) => row[column]?.length ?? 0)),
  );
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0))).join(" | ")} |`;
  const [titles = [], ...rows] = table;
  const rule = widths.map((width, column) =>
    column === 0 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`,
  );
  return [line(titles), line(rule), ...rows.map(line)];
}

function firstLine(text: string): string {
  return text.split("\n", 1)[0] ?? "";
}
