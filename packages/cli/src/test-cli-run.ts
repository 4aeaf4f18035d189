/** One command line, as tests run it. */
import { runCli } from "./cli.ts";

/** What surrounds the command. */
export interface TestSurroundings {
  readonly environment?: Readonly<Record<string, string>>;
  /** Lines of standard input. */
  readonly lines?: readonly string[];
  /** What the person says who is asked; absent: nobody is there. */
  readonly answer?: boolean;
  readonly workingDirectory?: string;
}

/** What came of it. */
export interface TestOutcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs one command line. Questions are among what it says on standard error. */
export async function runTestCli(
  args: readonly string[],
  { environment = {}, lines = [], answer, workingDirectory = "/nowhere" }: TestSurroundings = {},
): Promise<TestOutcome> {
  const said = { out: "", err: "" };
  const code = await runCli(args, {
    environment: { SLUICE_DATA_DIRECTORY: "/nowhere", ...environment },
    print: (text) => void (said.out += text),
    report: (text) => void (said.err += text),
    isInteractive: answer !== undefined,
    confirm: (question) => {
      said.err += question;
      return Promise.resolve(answer === true);
    },
    readLines: async function* readLines() {
      yield* lines;
    },
    workingDirectory,
  });
  return { code, ...said };
}
