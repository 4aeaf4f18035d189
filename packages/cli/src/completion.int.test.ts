import { execFile } from "node:child_process";
import { promisify } from "node:util";

import { beforeAll, expect, test } from "vitest";

import { runTestCli } from "./test-cli-run.ts";

let script: string;

beforeAll(async () => {
  const { code, out } = await runTestCli(["completion", "bash"]);
  expect(code).toBe(0);
  script = out;
});

/** What bash offers for a command line whose last word is not finished. */
async function complete(line: string): Promise<string[]> {
  const words = line.split(" ");
  const program = `${script}
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_sluice
printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout } = await promisify(execFile)("bash", ["-u", "-c", program, "bash", ...words]);
  return stdout.split("\n").filter((word) => word !== "");
}

test("commands are completed, those of a command below it, and options", async () => {
  expect(await complete("sluice exp")).toEqual(["export", "explain"]);
  expect(await complete("sluice trigger ")).toEqual(
    expect.arrayContaining(["list", "show", "history", "cancel", "end", "--help"]),
  );
  expect(await complete("sluice integration ro")).toEqual(["rotate-secret"]);
  expect(await complete("sluice key create --e")).toEqual(["--expires"]);
});

test("values are offered where there is a list of them, also as arguments", async () => {
  expect(await complete("sluice key create me --role ")).toEqual(["read", "write", "admin", "scheduler"]);
  expect(await complete("sluice trigger end --result f")).toEqual(["failed"]);
  expect(await complete("sluice serve w")).toEqual(["worker"]);
  expect(await complete("sluice completion z")).toEqual(["zsh"]);
});

test("what was typed before does not confuse it: options, their values, and words that are no commands", async () => {
  expect(await complete("sluice key list --url https://sluice.example.com --js")).toEqual(["--json"]);
  expect(await complete("sluice explain key ")).toEqual(expect.arrayContaining(["--target"]));
  expect(await complete("sluice nonsense li")).toEqual([]);
});

test("where nothing fits nothing is offered, and bash completes the names of files", async () => {
  expect(await complete("sluice apply -f sluice")).toEqual([]);
  expect(script).toContain("complete -o default -F _sluice sluice\n");
});

test.each(["zsh", "fish"])("%s: every command is in the script, with its options", async (shell) => {
  const { code, out } = await runTestCli(["completion", shell]);
  expect(code).toBe(0);
  for (const path of ["/key/create", "/integration/rotate-secret", "/stack/import", "/explain"]) {
    expect(out).toContain(path);
  }
  expect(out).toMatch(/overlap-hours/);
});

test("a shell that is not known is told with those that are", async () => {
  expect(await runTestCli(["completion", "tcsh"])).toMatchObject({
    code: 2,
    err: expect.stringContaining("Allowed choices are bash, zsh, fish."),
  });
});
