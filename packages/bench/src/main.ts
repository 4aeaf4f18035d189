/** `pnpm bench`: measures, prints tables, and writes what was asked for. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { Bench, SuiteReport } from "./bench.ts";
import { runEndToEndSuite } from "./end-to-end/end-to-end-suite.ts";
import { runIngestSuite } from "./ingest/ingest-suite.ts";
import { describeMachine } from "./machine.ts";
import { parseOptions, USAGE, type Options, type SuiteName } from "./options.ts";
import { judgeBars } from "./report/format.ts";
import { replaceSection, toMarkdown, type Provenance } from "./report/markdown.ts";
import { createResources, type Resources } from "./resources.ts";
import { runRetentionSuite } from "./retention/retention-suite.ts";
import { runRole } from "./roles.ts";
import { runScaleSuite } from "./scale/scale-suite.ts";
import { POSTGRES_SETTINGS, REDIS_SETTINGS, startServers } from "./servers.ts";
import { createTemplates } from "./webhooks.ts";
import { runWorkerSuite } from "./worker/worker-suite.ts";

const RUN: Readonly<Record<SuiteName, (bench: Bench) => Promise<SuiteReport>>> = {
  ingest: runIngestSuite,
  worker: runWorkerSuite,
  "end-to-end": runEndToEndSuite,
  scale: runScaleSuite,
  retention: runRetentionSuite,
};

/** As a shell tells that Ctrl-C ended a program. */
const STOPPED = 130;
const STOP_TIMEOUT_MS = 20_000;

/** 0: every run was valid; 1: one was void, or nothing could be measured; 2: the command line is wrong. */
async function main(args: readonly string[]): Promise<number> {
  if (args.includes("--help")) {
    write(USAGE);
    return 0;
  }
  let options: Options;
  try {
    options = parseOptions(args);
  } catch (error) {
    write(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
    return 2;
  }
  const resources = createResources();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => stop(resources));
  }
  try {
    const isValid = await measure(options, resources, `pnpm bench ${args.join(" ")}`.trim());
    return isValid ? 0 : 1;
  } catch (error) {
    if (resources.isClosed) return STOPPED;
    write(`${error instanceof Error ? error.message : String(error)}\n`);
    return 1;
  } finally {
    await resources.close();
  }
}

/** What was being done fails, because nothing is open any more, and then the process ends. */
function stop(resources: Resources): void {
  void resources.close();
  setTimeout(() => process.exit(STOPPED), STOP_TIMEOUT_MS).unref();
}

async function measure(options: Options, resources: Resources, command: string): Promise<boolean> {
  const directory = await mkdtemp(join(tmpdir(), "sluice-bench-logs-"));
  resources.defer(() => rm(directory, { recursive: true, force: true }));
  const profiles = options.profiles === null ? null : resolve(options.profiles);
  if (profiles !== null) await mkdir(profiles, { recursive: true });
  const servers = await startServers(options.directory, resources);
  const bench: Bench = {
    options,
    workplace: { directory, profiles },
    servers,
    templates: createTemplates(),
    resources,
    say: (line) => write(`${line}\n`),
  };
  const provenance: Provenance = {
    machine: describeMachine(servers.versions),
    command,
    date: new Date().toISOString(),
    seconds: options.seconds,
    runs: options.runs,
  };
  const reports: SuiteReport[] = [];
  for (const suite of options.suites) {
    const report = await RUN[suite](bench);
    reports.push(report);
    write(`\n## ${report.title}\n\n${toMarkdown(report, provenance)}\n\n`);
    if (options.markdown !== null) await writeMarkdown(options.markdown, report, provenance);
    if (options.out !== null) await writeJson(options.out, reports, provenance);
  }
  return reports.every(({ voidRuns }) => voidRuns.length === 0);
}

/** After every suite, so that a long run which is broken off leaves what it had. */
async function writeJson(
  path: string,
  reports: readonly SuiteReport[],
  provenance: Provenance,
): Promise<void> {
  const suites = reports.map((report) => ({ ...report, bars: judgeBars(report) }));
  const settings = { postgres: POSTGRES_SETTINGS, redis: REDIS_SETTINGS };
  await writeFile(path, `${JSON.stringify({ ...provenance, settings, suites }, null, 2)}\n`);
}

async function writeMarkdown(path: string, report: SuiteReport, provenance: Provenance): Promise<void> {
  const section = toMarkdown(report, provenance);
  const document = await readFile(path, "utf8").catch(() => "");
  const replaced = replaceSection(document, report.suite, section);
  const { suite, title } = report;
  const added = `## ${title}\n\n<!-- bench:${suite} -->\n\n${section}\n\n<!-- /bench:${suite} -->\n`;
  await writeFile(path, replaced ?? (document === "" ? added : `${document.trimEnd()}\n\n${added}`));
}

function write(text: string): void {
  process.stdout.write(text);
}

const [mode, ...rest] = process.argv.slice(2);
if (mode === "role") await runRole(rest[0] ?? "");
else process.exit(await main(process.argv.slice(2)));
