/** What a command has of the process it runs in. Given by main.ts, or by a test. */
import type { Environment } from "@sluice/runtime/configuration";

/** The outside of a command. */
export interface CliContext {
  /** The variables of the process, read once. */
  readonly environment: Environment;
  /** A file of variables that is read into `environment` before a command runs; absent = none is. */
  readonly environmentFile?: string;
  /** Standard output: what a command was asked for. */
  readonly print: (text: string) => void;
  /** Standard error: progress, questions and errors. */
  readonly report: (text: string) => void;
  /** Whether a person is there to answer. */
  readonly isInteractive: boolean;
  /** Asks the person a question; true for yes. Anything but yes is no. */
  readonly confirm: (question: string) => Promise<boolean>;
  /** Lines of standard input. */
  readonly readLines: () => AsyncIterable<string>;
  /** Where relative paths begin. */
  readonly workingDirectory: string;
}

/** Runs the work of a command and keeps its exit code. */
export type RunCommand = (work: (context: CliContext) => Promise<ExitCode>) => Promise<void>;

/** What `sluice` ends with. Documented in docs/cli.md and in the help. */
export const EXIT_CODES = {
  /** Done, or nothing to do. */
  done: 0,
  /** Failed on the way; nothing was half done. */
  failed: 1,
  /** The command line or a file is wrong. */
  invalid: 2,
  /** There are changes that were not made. */
  pending: 3,
  /** Nothing is known of what was asked for. */
  notFound: 4,
  /** The API refused: the key is missing, wrong or expired, or may not do this. */
  refused: 5,
  /** The environment is wrong (EX_CONFIG of sysexits.h), as for the services. */
  misconfigured: 78,
} as const;

/** One of them. */
export type ExitCode = (typeof EXIT_CODES)[keyof typeof EXIT_CODES];
