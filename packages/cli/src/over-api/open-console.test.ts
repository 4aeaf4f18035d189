import { expect, test } from "vitest";

import { runTestCli } from "../test-cli-run.ts";
import { browserCommand, openConsole } from "./open-console.ts";

test("the address is printed when that is asked for, without a key", async () => {
  expect(await runTestCli(["open", "--print", "--url", "https://sluice.example.com/"])).toEqual({
    code: 0,
    out: "https://sluice.example.com/queues\n",
    err: "",
  });
});

test.each([
  [true, ""],
  [false, "https://sluice.example.com/queues\n"],
])(
  "the browser is given the address; whether it started (%j) decides whether it is printed too",
  async (isOpen, out) => {
    const said = { out: "", err: "" };
    const opened: string[] = [];
    const context = {
      environment: { SLUICE_URL: "https://sluice.example.com" },
      print: (text: string) => void (said.out += text),
      report: (text: string) => void (said.err += text),
      isInteractive: false,
      confirm: () => Promise.resolve(false),
      readLines: async function* readLines() {
        yield* [];
      },
      workingDirectory: "/nowhere",
    };
    const browse = (address: string) => {
      opened.push(address);
      return Promise.resolve(isOpen);
    };
    expect(await openConsole({ print: false }, context, browse)).toBe(0);
    expect(opened).toEqual(["https://sluice.example.com/queues"]);
    expect(said).toEqual({ out, err: expect.stringContaining("as password") });
  },
);

test("where nobody said what to open, it is a mistake of the environment", async () => {
  expect(await runTestCli(["open", "--print"])).toMatchObject({
    code: 78,
    err: expect.stringContaining("SLUICE_URL is missing"),
  });
});

test("each platform opens an address by a command of its own, without a shell", () => {
  expect(browserCommand("darwin")).toEqual(["open"]);
  expect(browserCommand("win32")).toEqual(["rundll32", "url.dll,FileProtocolHandler"]);
  expect(browserCommand("linux")).toEqual(["xdg-open"]);
});
