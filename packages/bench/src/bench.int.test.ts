import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { injectTestServers } from "@sluice/embedded/test-context";
import { afterAll, beforeAll, expect, test } from "vitest";

const PROGRAM = fileURLToPath(new URL("./main.ts", import.meta.url));
const SOURCES = ["--conditions=source", "--import", import.meta.resolve("tsx")];
const TIMEOUT_MS = 120_000;

let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "sluice-bench-test-"));
});

afterAll(async () => {
  await rm(directory, { recursive: true, force: true });
});

const bench = (...args: string[]) =>
  promisify(execFile)(process.execPath, [...SOURCES, PROGRAM, ...args, "--seconds", "1", "--runs", "1"], {
    timeout: TIMEOUT_MS,
  });

test.skipIf(injectTestServers().redisUrl === null)(
  "a short run measures our services through every process, loses nothing, and writes what it measured",
  async () => {
    const [out, markdown] = [join(directory, "bench.json"), join(directory, "bench.md")];
    const what = ["ingest", "end-to-end", "--only", "sluice-redis", "--backend", "redis"];
    const { stdout } = await bench(...what, "--out", out, "--markdown", markdown);
    const report = JSON.parse(await readFile(out, "utf8")) as {
      suites: { suite: string; measurements: { figures: Record<string, number> }[]; voidRuns: unknown[] }[];
    };
    expect(report.suites.map(({ suite }) => suite)).toEqual(["ingest", "end-to-end"]);
    for (const { measurements, voidRuns } of report.suites) {
      expect(voidRuns).toEqual([]);
      expect(measurements.length).toBeGreaterThan(0);
      for (const { figures } of measurements) {
        expect(figures).toMatchObject({ perSecond: expect.any(Number) as number });
        for (const figure of Object.values(figures)) expect(figure).toSatisfy(Number.isFinite);
      }
    }
    const tables = await readFile(markdown, "utf8");
    for (const { suite } of report.suites) expect(tables).toContain(`<!-- /bench:${suite} -->`);
    expect(stdout).toContain("| sluice-redis");
  },
  TIMEOUT_MS,
);

test.skipIf(injectTestServers().redisUrl === null)(
  "a short run of the suite `scale` decides every push for all targets, and those behind it",
  async () => {
    const out = join(directory, "scale.json");
    await bench("scale", "--only", "redis-100-targets", "--out", out);
    const { suites } = JSON.parse(await readFile(out, "utf8")) as {
      suites: { measurements: { figures: Record<string, number> }[] }[];
    };
    const [measurement] = suites.flatMap(({ measurements }) => measurements);
    const keys = ["pushMs", "alone99", "behind99"];
    for (const key of keys) expect(measurement?.figures[key]).toBeGreaterThan(0);
  },
  TIMEOUT_MS,
);

test.skipIf(injectTestServers().redisUrl === null)(
  "a short run of the suite `retention` deletes what is old beside pushes, all of which are recorded, and scans no table",
  async () => {
    const out = join(directory, "retention.json");
    await bench("retention", "--rows", "60000", "--out", out);
    const { suites } = JSON.parse(await readFile(out, "utf8")) as {
      suites: { measurements: { figures: Record<string, number> }[] }[];
    };
    const [without, beside] = suites.flatMap(({ measurements }) => measurements);
    expect(without?.figures["p50"]).toBeGreaterThan(0);
    for (const key of ["p50", "rowsPerSecond"]) expect(beside?.figures[key]).toBeGreaterThan(0);
    expect(beside?.figures["tableScans"]).toBe(0);
  },
  TIMEOUT_MS,
);
