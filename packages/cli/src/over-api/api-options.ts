/** Options that commands which speak to the API have in common. */
import { type Command, InvalidArgumentError } from "commander";

/** Of every command. */
export interface ApiOptions {
  readonly url?: string;
  readonly json: boolean;
}

/** Of a list. */
export interface ListOptions extends ApiOptions {
  readonly limit: number;
  readonly all: boolean;
}

/** Of a command that asks before it changes something. */
export interface AgreeOptions extends ApiOptions {
  readonly yes: boolean;
}

const DEFAULT_LIMIT = 50;
const MAX_LIMIT = 100_000;

/** `--url`, `--json` */
export function withApiOptions(command: Command): Command {
  return command
    .option("--url <url>", "the API; default: SLUICE_URL, else the embedded Sluice that runs here")
    .option("--json", "print JSON", false);
}

/** `--limit`, `--all`, `--url`, `--json` */
export function withListOptions(command: Command): Command {
  return withApiOptions(
    command
      .option("--limit <count>", "at most so many", parseLimit, DEFAULT_LIMIT)
      .option("--all", "all of them, however many", false),
  );
}

/** `--yes`, `--url`, `--json` */
export function withAgreement(command: Command): Command {
  return withApiOptions(command.option("-y, --yes", "do not ask", false));
}

/** A whole number of an option. */
export function parseWhole(min: number, max: number): (text: string) => number {
  return (text) => {
    const number = Number(text);
    if (/^\d+$/.test(text) && number >= min && number <= max) return number;
    throw new InvalidArgumentError(`It must be a whole number from ${String(min)} to ${String(max)}.`);
  };
}

/** Of an option that may be given again: all its values, in their order. */
export function collect(text: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), text];
}

const parseLimit = parseWhole(1, MAX_LIMIT);
