/** What the command line asks for. */
import { parseArgs } from "node:util";

/** What can be measured, in the order in which it is. */
export const SUITES = ["ingest", "worker", "end-to-end", "scale", "retention"] as const;
export type SuiteName = (typeof SUITES)[number];

/** The servers that keep our queues. */
export const BACKENDS = ["redis", "postgres"] as const;
export type BackendName = (typeof BACKENDS)[number];

export interface Options {
  readonly suites: readonly SuiteName[];
  /** Of one measurement, without its warm-up. */
  readonly seconds: number;
  /** Rounds; in each, every subject runs once. */
  readonly runs: number;
  /** In the database that retention is measured on, over all tables; at least. */
  readonly rows: number;
  /** Of ours; what ours is compared with always runs. */
  readonly backends: readonly BackendName[];
  /** Only subjects whose name has one of these in it; empty = all. */
  readonly only: readonly string[];
  /** Where everything that was measured goes, as JSON; null = nowhere. */
  readonly out: string | null;
  /** A Markdown file that gets the tables; null = none. */
  readonly markdown: string | null;
  /** Holds the servers' data while the command runs: a folder on a real disk. null = the system's temporary folder. */
  readonly directory: string | null;
  /** Where the processes of ours that are measured leave CPU profiles; null = nowhere. */
  readonly profiles: string | null;
  /** For our services under test, to see what a setting does. */
  readonly environment: Readonly<Record<string, string>>;
}

export const USAGE = `pnpm bench [ingest] [worker] [end-to-end] [scale] [retention] [options]

  --seconds <n>       of one measurement, without its warm-up (8)
  --runs <n>          rounds; in each, every subject runs once (3)
  --rows <n>          of the database that retention is measured on, over all tables (1000000)
  --backend <name>    redis, postgres or both (both): where ours keeps its queues
  --only <part,...>   only subjects whose name has one of these in it
  --out <file>        everything that was measured, as JSON
  --markdown <file>   the tables; between the markers "<!-- bench:<suite> -->" and "<!-- /bench:<suite> -->"
                      where the file has them, else as a new file
  --directory <path>  for the data of the servers, on a real disk (the system's temporary folder)
  --profiles <path>   CPU profiles of our processes under test
  --env <NAME=value>  for our processes under test, to see what a setting does; may be given again

It starts a Postgres and a Redis of its own on the loopback address, and needs redis-server or valkey-server.
`;

/** @throws Error in one line, for whoever typed it. */
export function parseOptions(args: readonly string[]): Options {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      seconds: { type: "string", default: "8" },
      runs: { type: "string", default: "3" },
      rows: { type: "string", default: "1000000" },
      backend: { type: "string", default: "both" },
      only: { type: "string", default: "" },
      out: { type: "string" },
      markdown: { type: "string" },
      directory: { type: "string" },
      profiles: { type: "string" },
      env: { type: "string", multiple: true, default: [] },
    },
  });
  const unknown = positionals.find((name) => !isSuite(name));
  if (unknown !== undefined) throw new Error(`${unknown} cannot be measured: ${SUITES.join(", ")}`);
  return {
    suites: SUITES.filter((name) => positionals.length === 0 || positionals.includes(name)),
    seconds: parsePositive("--seconds", values.seconds),
    runs: parsePositive("--runs", values.runs),
    rows: parsePositive("--rows", values.rows),
    backends: parseBackends(values.backend),
    only: values.only.split(",").filter((part) => part !== ""),
    out: values.out ?? null,
    markdown: values.markdown ?? null,
    directory: values.directory ?? null,
    profiles: values.profiles ?? null,
    environment: Object.fromEntries(values.env.map(parseAssignment)),
  };
}

function isSuite(name: string): name is SuiteName {
  return SUITES.some((suite) => suite === name);
}

function parsePositive(option: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new Error(`${option} takes a whole number above 0`);
  return value;
}

function parseBackends(text: string): readonly BackendName[] {
  if (text === "both") return BACKENDS;
  const backend = BACKENDS.find((name) => name === text);
  if (backend === undefined) throw new Error("--backend takes redis, postgres or both");
  return [backend];
}

function parseAssignment(text: string): readonly [string, string] {
  const [, name, value] = /^([A-Z_]+)=(.*)$/.exec(text) ?? [];
  if (name === undefined || value === undefined) throw new Error("--env takes NAME=value");
  return [name, value];
}
