import { expect, test } from "vitest";
import { parseOptions } from "./options.ts";

test("without arguments everything is measured, three times, on both backends", () => {
  expect(parseOptions([])).toMatchObject({
    suites: ["ingest", "worker", "end-to-end", "scale", "retention"],
    seconds: 8,
    runs: 3,
    rows: 1_000_000,
    backends: ["redis", "postgres"],
    out: null,
  });
});

test("suites are measured in one order, whatever the order in which they are named", () => {
  expect(parseOptions(["end-to-end", "ingest"]).suites).toEqual(["ingest", "end-to-end"]);
});

test.each([
  [["ingestion"], /ingestion cannot be measured/],
  [["--seconds", "0"], /--seconds takes a whole number/],
  [["--runs", "many"], /--runs takes a whole number/],
  [["--rows", "none"], /--rows takes a whole number/],
  [["--backend", "kafka"], /--backend takes redis, postgres or both/],
  [["--env", "novalue"], /--env takes NAME=value/],
  [["--fast"], /--fast/],
])("%j is refused with what is wrong", (args, message) => {
  expect(() => parseOptions(args)).toThrow(message);
});
