/** What is wrong with a declarative file, and where. */
import { AppError } from "@sluice/domain/app-error";

/** A place in a file; line and column are 1-based. */
export interface Position {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** One mistake, for the person who wrote the file. Holds no secret. */
export interface Problem extends Position {
  readonly message: string;
}

/** Why a file was not applied: every problem at once. */
export class DeclarationError extends AppError {
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    const count = problems.length === 1 ? "1 problem" : `${String(problems.length)} problems`;
    super("declaration_invalid", `${count}, nothing was changed:\n${formatProblems(problems)}`, {
      retry: "never",
    });
    this.name = "DeclarationError";
    this.problems = problems;
  }
}

/** One line each, `file:line:column: message`, in the order of the file. */
export function formatProblems(problems: readonly Problem[]): string {
  return problems
    .map(({ file, line, column, message }) => `${file}:${String(line)}:${String(column)}: ${message}`)
    .join("\n");
}

/** Each problem once, in the order of files and lines: a wrong default would otherwise show for each of its users. */
export function sortProblems(problems: readonly Problem[]): Problem[] {
  const files = [...new Set(problems.map((problem) => problem.file))];
  const unique = new Map(problems.map((problem) => [formatProblems([problem]), problem]));
  return [...unique.values()].toSorted(
    (a, b) => files.indexOf(a.file) - files.indexOf(b.file) || a.line - b.line || a.column - b.column,
  );
}
