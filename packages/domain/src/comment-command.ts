/** Commands in the comments of a pull request (rule 24): `/sluice propose network "my stack"`. */
import type { CommentFacts } from "./event.ts";

/** The words that a command may begin with. Only ours: two systems side by side must not both deploy. */
const DEFAULT_COMMAND_PREFIXES: readonly string[] = ["/sluice"];

/** The most targets that one command may name. */
export const MAX_COMMAND_TARGETS = 500;

/** As much of what was typed as messages and evidence repeat, in characters. */
const MAX_QUOTED = 200;
const BLANK = /\s/;
/** What Markdown takes a backslash away from, which Bitbucket's editor may have put there. */
const ASCII_PUNCTUATION = /[!-/:-@[-`{-~]/;
/** Telephones type the curly ones. */
const CLOSING_QUOTES: ReadonlyMap<string, string> = new Map([
  ['"', '"'],
  ["'", "'"],
  ["“", "”"],
  ["‘", "’"],
]);

/** A command that asks for runs. */
export type RunCommand =
  /** Proposed runs of these targets; of all that are affected when it names none. */
  | { readonly kind: "propose"; readonly targets: readonly string[] }
  /** A tracked run of the pull request's head. */
  | { readonly kind: "deploy"; readonly target: string };

/** What a comment says to Sluice. Names are as they were typed: whether there are such targets is not known here. */
export type CommentCommand =
  | { readonly kind: "not_a_command" }
  | RunCommand
  | { readonly kind: "unlock" | "status" | "help"; readonly targets: readonly string[] }
  /** It begins as a command does. `because`: what is wrong, as a clause without a full stop. */
  | { readonly kind: "malformed"; readonly because: string };

/**
 * The command that a comment begins with, on its first line; blanks before it do not count, and the rest of the comment
 * does not either. A name stands between quotes if it holds blanks; a backslash takes the meaning from the punctuation
 * after it, as in Markdown. Never throws, whatever was typed.
 */
export function parseCommentCommand(
  comment: Pick<CommentFacts, "text" | "isDeleted">,
  prefixes: readonly string[] = DEFAULT_COMMAND_PREFIXES,
): CommentCommand {
  const line = firstLine(comment.text);
  const prefix = comment.isDeleted ? undefined : prefixes.find((one) => beginsWithWord(line, one));
  if (prefix === undefined) return { kind: "not_a_command" };
  const read = readWords(line.slice(prefix.length));
  if (read.kind === "wrong") return malformed(read.because);
  const [verb, ...names] = read.words;
  if (verb === undefined) return malformed(`nothing follows ${prefix}: ${USAGE}`);
  if (names.length > MAX_COMMAND_TARGETS) {
    return malformed(`it names ${String(names.length)} targets, more than ${String(MAX_COMMAND_TARGETS)}`);
  }
  if (names.includes("")) return malformed("it names a target with nothing between the quotes");
  return toCommand(verb, names);
}

/**
 * All of a comment that can ever matter to a command: the line that is read, empty for a comment that is none. What people
 * say to each other is theirs.
 */
export function commandLine(
  comment: Pick<CommentFacts, "text" | "isDeleted">,
  prefixes: readonly string[] = DEFAULT_COMMAND_PREFIXES,
): string {
  return parseCommentCommand(comment, prefixes).kind === "not_a_command" ? "" : firstLine(comment.text);
}

/** The line of a comment that is read as a command, cut to a length that evidence can keep. */
export function commandText(comment: Pick<CommentFacts, "text">): string {
  return clip(firstLine(comment.text));
}

const USAGE = "write propose, deploy, unlock, status or help";

function toCommand(verb: string, names: readonly string[]): CommentCommand {
  switch (verb) {
    case "propose":
    case "unlock":
    case "status":
    case "help":
      return { kind: verb, targets: names };
    case "deploy": {
      const [target] = names;
      // What is applied is said one by one: a blank too many must not deploy two targets.
      if (target === undefined || names.length > 1) return malformed("deploy takes the name of one target");
      return { kind: "deploy", target };
    }
    default:
      return malformed(`${JSON.stringify(clip(verb))} is not a command: ${USAGE}`);
  }
}

function firstLine(text: string): string {
  const trimmed = text.trimStart();
  const end = trimmed.search(/[\r\n]/);
  return (end === -1 ? trimmed : trimmed.slice(0, end)).trimEnd();
}

function beginsWithWord(line: string, word: string): boolean {
  return word !== "" && line.startsWith(word) && isBlankOrEnd(line[word.length]);
}

type Words =
  | { readonly kind: "words"; readonly words: readonly string[] }
  | { readonly kind: "wrong"; readonly because: string };

function readWords(text: string): Words {
  const words: string[] = [];
  for (let at = 0; at < text.length;) {
    const first = text[at] ?? "";
    if (BLANK.test(first)) {
      at += 1;
      continue;
    }
    const quote = CLOSING_QUOTES.get(first);
    const start = quote === undefined ? at : at + 1;
    const { word, end } = readWord(text, start, (char) =>
      quote === undefined ? BLANK.test(char) : char === quote,
    );
    words.push(word);
    at = end;
    if (quote === undefined) continue;
    if (end === text.length) return wrong(`the quote before ${JSON.stringify(clip(word))} is not closed`);
    at = end + 1;
    if (!isBlankOrEnd(text[at])) return wrong(`a blank is missing behind ${JSON.stringify(clip(word))}`);
  }
  return { kind: "words", words };
}

function readWord(text: string, start: number, isEnd: (char: string) => boolean) {
  let word = "";
  let at = start;
  for (; at < text.length && !isEnd(text[at] ?? ""); at += 1) {
    if (text[at] === "\\" && ASCII_PUNCTUATION.test(text[at + 1] ?? "")) at += 1;
    word += text[at] ?? "";
  }
  return { word, end: at };
}

function isBlankOrEnd(char: string | undefined): boolean {
  return char === undefined || BLANK.test(char);
}

/** By characters, never half of one: JSON in Postgres holds no half. */
function clip(text: string): string {
  if (text.length <= MAX_QUOTED) return text;
  return `${Array.from(text.slice(0, 2 * MAX_QUOTED))
    .slice(0, MAX_QUOTED)
    .join("")}…`;
}

function wrong(because: string): Words {
  return { kind: "wrong", because };
}

function malformed(because: string): CommentCommand {
  return { kind: "malformed", because };
}
