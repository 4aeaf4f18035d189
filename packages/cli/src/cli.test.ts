import { tmpdir } from "node:os";
import { expect, test } from "vitest";

import { type CliContext, EXIT_CODES } from "./cli-context.ts";
import { runCli } from "./cli.ts";

const TRIGGER_ID = "0199aaaa-0000-7000-8000-000000000001";

async function run(args: string[], environment: Record<string, string> = {}, environmentFile?: string) {
  const said = { out: "", err: "" };
  const context: CliContext = {
    environment: { SLUICE_DATA_DIRECTORY: "/nowhere", ...environment },
    ...(environmentFile === undefined ? {} : { environmentFile }),
    print: (text) => void (said.out += text),
    report: (text) => void (said.err += text),
    isInteractive: false,
    confirm: () => Promise.resolve(false),
    readLines: async function* readLines() {
      yield* [];
    },
    workingDirectory: "/nowhere",
  };
  return { code: await runCli(args, context), ...said };
}

test("help is printed, names the exit codes, and is a success", async () => {
  const { code, out, err } = await run(["--help"]);
  expect({ code, err }).toEqual({ code: 0, err: "" });
  for (const exitCode of Object.values(EXIT_CODES)) {
    expect(out).toMatch(new RegExp(`^Exit codes:[^]*\\n {2}${String(exitCode)} +\\S`, "m"));
  }
});

/** The commands that a help names, without \`help\` itself. */
function commandsIn(help: string): string[] {
  const [, list = ""] = /\nCommands:\n([^]*?)(?:\n\n|$)/.exec(help) ?? [];
  const names = [...list.matchAll(/^ {2}(\S+)/gm)].map(([, name = ""]) => name.split("|")[0] ?? "");
  return names.filter((name) => name !== "help");
}

async function listCommands(path: string[]): Promise<string[][]> {
  const below = commandsIn((await run([...path, "--help"])).out);
  const nested = await Promise.all(below.map((name) => listCommands([...path, name])));
  return [path, ...nested.flat()];
}

test("every command has help, and each shows examples, or the group that it is in does", async () => {
  const paths = await listCommands([]);
  const top = paths.filter(({ length }) => length === 1).map(([name]) => name);
  expect(top).toEqual(expect.arrayContaining(["up", "apply", "export", "doctor", "key", "keys", "open"]));
  const withoutExamples: string[] = [];
  for (const path of paths) {
    const { code, out, err } = await run([...path, "--help"]);
    expect({ path, code, err }).toEqual({ path, code: 0, err: "" });
    expect(out).toMatch(new RegExp(`^Usage: ${["sluice", ...path].join(" ")} `));
    const group = await run([...path.slice(0, 1), "--help"]);
    const isLeaf = commandsIn(out).length === 0;
    if (isLeaf && !/\nExamples?:\n {2}\$ /.test(out + group.out)) withoutExamples.push(path.join(" "));
  }
  expect(withoutExamples).toEqual([]);
});

test("an option that names a token or a key never takes it itself", async () => {
  const paths = await listCommands([]);
  for (const path of paths) {
    const { out } = await run([...path, "--help"]);
    expect(out).not.toMatch(/--(?:api-)?(?:token|key|secret|password) </);
  }
});

test("the version is printed", async () => {
  expect(await run(["--version"])).toMatchObject({
    code: 0,
    out: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
  });
});

test.each([
  [[], "Usage: sluice"],
  [["aply"], "error: unknown command 'aply'\n(Did you mean apply?)"],
  [["apply", "--dryrun"], "error: unknown option '--dryrun'\n(Did you mean --dry-run?)"],
  [["serve", "web"], "Allowed choices are ingress, worker, api."],
  [["queue", "failed", "--limit", "many"], "It must be a whole number from 1 to 10000."],
  [["queue", "failed", "nope"], "error usage_invalid: there is no queue nope (there are deliveries, events)"],
  [["queue", "retry", "events"], "error usage_invalid: name the jobs to retry, or give --all"],
  [["explain", "main"], "error usage_invalid: main names no event: give the id of a delivery"],
  [["explain", "0123456", "--limit", "101"], "It must be a whole number from 1 to 100."],
  [["trigger", "cancel", "7"], "error usage_invalid: 7 is not the id of a trigger"],
  [["trigger", "cancel", TRIGGER_ID, "--by", ""], "error usage_invalid: --by needs a name"],
  [["trigger", "end", TRIGGER_ID, "--by", "ada"], "error: required option '--result <result>' not specified"],
  [
    ["trigger", "end", TRIGGER_ID, "--result", "failed"],
    "error: required option '--by <name>' not specified",
  ],
  [
    ["trigger", "end", TRIGGER_ID, "--by", "ada", "--result", "lost"],
    "Allowed choices are succeeded, failed, canceled.",
  ],
  [["apply", "-f", "nope.yaml"], "error file_unreadable: cannot read nope.yaml"],
])("the command line %j is told to be wrong, with exit code 2", async (args, message) => {
  const { code, out, err } = await run(args);
  expect({ code, out }).toEqual({ code: 2, out: "" });
  expect(err).toContain(message);
});

test("a wrong environment is told at once and whole, with exit code 78 and without a secret", async () => {
  const { code, err } = await run(["migrate"], {
    SLUICE_QUEUE_URL: "nope://LEAK",
    SLUICE_QUEUE_NAMESPACE: "No",
  });
  expect(code).toBe(78);
  expect(err).toMatch(
    /^error configuration_invalid: The configuration has 3 problems:\n {2}- DATABASE_URL is missing/,
  );
  expect(err).not.toContain("LEAK");
});

test("a stack trace is shown only where LOG_LEVEL asks for it", async () => {
  const quiet = await run(["apply", "-f", "nope.yaml"]);
  const loud = await run(["apply", "-f", "nope.yaml"], { LOG_LEVEL: "debug" });
  expect(quiet.err.trimEnd().split("\n")).toHaveLength(1);
  expect(loud.err).toContain("    at ");
});

test("a generated key is the only thing that is printed, and another one each time", async () => {
  const [one, two] = [await run(["keys", "generate"]), await run(["keys", "generate"])];
  expect(one).toMatchObject({
    code: 0,
    out: expect.stringMatching(/^k[0-9a-f]{8}:[A-Za-z0-9+/]{43}=\n$/),
    err: "",
  });
  expect(two.out).not.toBe(one.out);
});

test("the schema of the file is printed as JSON with the version and every section", async () => {
  const { out } = await run(["config", "schema"]);
  const schema: unknown = JSON.parse(out);
  expect(schema).toMatchObject({
    title: "sluice.yaml",
    required: ["version"],
    properties: { version: {}, defaults: {}, spaces: {}, integrations: {}, stacks: {}, modules: {} },
  });
});

test("the reference of the variables names those of every process once", async () => {
  const { code, out } = await run(["config", "docs"]);
  expect(code).toBe(0);
  for (const name of ["DATABASE_URL", "INGRESS_PORT", "WORKER_PORT", "API_PORT", "SLUICE_DATA_DIRECTORY"]) {
    expect(out.split(`| \`${name}\` |`)).toHaveLength(2);
  }
});

test("an environment file that cannot be read is told in one line, and is a mistake of the environment", async () => {
  const { code, err } = await run(["keys", "generate"], {}, tmpdir());
  expect(code).toBe(78);
  expect(err).toContain(`the environment file ${tmpdir()} cannot be read`);
  expect(err).not.toContain(" at ");
});
