import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { expect, test } from "vitest";

const MAIN = fileURLToPath(new URL("main.ts", import.meta.url));

test("a reader that has seen enough ends the command without a word", async () => {
  const line = '"$0" --conditions=source --import tsx "$1" completion bash | true; echo "${PIPESTATUS[0]}"';
  const { stdout, stderr } = await promisify(execFile)("bash", ["-c", line, process.execPath, MAIN]);
  expect({ stdout, stderr }).toEqual({ stdout: "0\n", stderr: "" });
});
