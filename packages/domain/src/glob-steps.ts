import { AppError } from "./app-error.ts";
import { trimSlashes } from "./target.ts";

/** The code point of `/`. */
export const SLASH = 0x2f;

/**
 * One step of a glob, in the order written; each leads to the one after it, except `fork`, which leads to all of its
 * targets (indexes of steps). `class` is `?` when it is negated and has no ranges; it never holds `/`.
 */
export type GlobStep =
  | { readonly kind: "character"; readonly codePoint: number }
  | { readonly kind: "class"; readonly negated: boolean; readonly ranges: readonly CodePointRange[] }
  | { readonly kind: "slash" | "star" | "globstar" | "end" }
  | { readonly kind: "fork"; readonly targets: readonly number[] };

/** Both ends belong to it. */
export type CodePointRange = readonly [low: number, high: number];

/** A glob that says nothing sensible: `code` is `glob_invalid`, and no retry helps. */
export class GlobInvalidError extends AppError {
  /** What is wrong and where, without the glob itself: "the [ is not closed (character 2)". */
  readonly problem: string;

  constructor(glob: string, problem: string) {
    super("glob_invalid", `The glob ${JSON.stringify(glob)} is not valid: ${problem}`, { retry: "never" });
    this.problem = problem;
  }
}

/** An error about the character with this index. */
type Fail = (at: number, problem: string) => GlobInvalidError;

interface OpenBrace {
  readonly at: number;
  /** The targets of the fork to its alternatives. */
  readonly starts: number[];
  /** Those of the forks that end them: one each, the step after the closing brace. */
  readonly exits: number[][];
}

/**
 * The steps of a glob without the slashes around it; the last two are a slash, so that every segment ends with one, and
 * `end`. Alternatives are not expanded: a code point makes at most one step.
 * @throws GlobInvalidError
 */
export function parseGlobSteps(glob: string): readonly GlobStep[] {
  const trimmed = trimSlashes(glob);
  const fail: Fail = (at, problem) => {
    const position = glob.indexOf(trimmed) + at + 1;
    return new GlobInvalidError(glob, `${problem} (character ${String(position)})`);
  };
  if (trimmed === "") throw new GlobInvalidError(glob, "it is empty");
  const characters = Array.from(trimmed);
  const steps: GlobStep[] = [];
  const braces: OpenBrace[] = [];
  for (let at = 0; at < characters.length; at += 1) {
    const brace = braces.at(-1);
    switch (characters[at]) {
      case "*": {
        const last = lastOfRun(characters, at);
        steps.push({ kind: last === at + 1 ? "globstar" : "star" });
        at = last;
        break;
      }
      case "?":
        steps.push({ kind: "class", negated: true, ranges: [] });
        break;
      case "[":
        at = parseClass(characters, at, steps, fail);
        break;
      case "{":
        braces.push(openBrace(steps, at));
        break;
      case "}":
        if (brace === undefined) throw fail(at, "the } closes nothing");
        endAlternative(steps, brace);
        for (const exit of brace.exits) exit.push(steps.length);
        braces.pop();
        break;
      case "\\":
        at += 1;
        if (at === characters.length) throw fail(at - 1, "the \\ escapes nothing");
        steps.push(literal(characters[at]));
        break;
      default:
        if (characters[at] === "," && brace !== undefined) {
          endAlternative(steps, brace);
          brace.starts.push(steps.length);
        } else {
          steps.push(literal(characters[at]));
        }
    }
  }
  const open = braces.at(-1);
  if (open !== undefined) throw fail(open.at, "the { is not closed");
  steps.push({ kind: "slash" }, { kind: "end" });
  return steps;
}

/** Where a run of equal characters ends. */
function lastOfRun(characters: readonly string[], start: number): number {
  let last = start;
  while (characters[last + 1] === characters[start]) last += 1;
  return last;
}

function openBrace(steps: GlobStep[], at: number): OpenBrace {
  const starts = [steps.length + 1];
  steps.push({ kind: "fork", targets: starts });
  return { at, starts, exits: [] };
}

/** Leads from here to wherever the braces turn out to end. */
function endAlternative(steps: GlobStep[], brace: OpenBrace): void {
  const exit: number[] = [];
  brace.exits.push(exit);
  steps.push({ kind: "fork", targets: exit });
}

function literal(character = ""): GlobStep {
  return character === "/" ? { kind: "slash" } : { kind: "character", codePoint: codePointOf(character) };
}

/** Reads the class whose `[` is at `start`. @returns where its `]` is. */
function parseClass(characters: readonly string[], start: number, steps: GlobStep[], fail: Fail): number {
  const ranges: CodePointRange[] = [];
  const negated = ["!", "^"].includes(characters[start + 1] ?? "");
  let at = start + (negated ? 2 : 1);
  const take = (): string => {
    if (characters[at] === "\\") at += 1;
    const character = characters[at];
    if (character === undefined) throw fail(start, "the [ is not closed");
    at += 1;
    return character;
  };
  if (characters[at] === "]") throw fail(start, "the class is empty: write \\] for a ] in it");
  while (characters[at] !== "]") {
    const low = take();
    let high = low;
    // A - is a range only between two characters: [a-] and [-a] hold it itself.
    if (characters[at] === "-" && characters[at + 1] !== "]") {
      at += 1;
      high = take();
    }
    if (codePointOf(low) > codePointOf(high)) throw fail(start, `the range ${low}-${high} runs backwards`);
    ranges.push([codePointOf(low), codePointOf(high)]);
  }
  steps.push({ kind: "class", negated, ranges });
  return at;
}

function codePointOf(character: string): number {
  return character.codePointAt(0) ?? 0;
}
