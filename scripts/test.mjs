/**
 * `npm test`: every check of this repository from a bare checkout, the cheap ones first; stops at the first that fails.
 * `--keep-going` runs the others too. Any further argument goes to Vitest: `npm test -- group-commit`.
 */
import { spawn } from "child_process";
import { mkdtempSync, readFileSync, rmSync } from "fs";
import { tmpdir } from "os";
import { join, resolve as resolvePath } from "path";
import { fail, install, root, say } from "./bootstrap.mjs";

const INTERRUPTED = "interrupted";
const KEEP_GOING = "--keep-going";
const keepGoing = process.argv.includes(KEEP_GOING);
const vitestArgs = process.argv.slice(2).filter((arg) => arg !== KEEP_GOING);

main().catch((error) => fail(error.message));

async function main() {
  await install();
  const reports = mkdtempSync(join(tmpdir(), "sluice-reports-"));
  const failed = [];
  for (const check of listChecks(reports)) {
    say(check.title);
    const code = await run(check.program, check.args);
    if (code !== 0) failed.push(check.title);
    if (code === INTERRUPTED || (code !== 0 && !keepGoing)) break;
  }
  const count = countTests(reports);
  rmSync(reports, { recursive: true, force: true });
  if (failed.length > 0) console.log("\nFailed: " + failed.join(", "));
  console.log("\n" + count.passed + " passed, " + count.failed + " failed, " + count.skipped + " skipped");
  process.exit(failed.length > 0 ? 1 : 0);
}

function listChecks(reports) {
  return [
    { title: "Formatting", program: "prettier", args: ["--check", "--log-level", "warn", "."] },
    { title: "Lint", program: "oxlint", args: ["--type-aware", "--deny-warnings"] },
    { title: "Types", program: "tsc", args: ["-b"] },
    { title: "Unused code", program: "knip", args: [] },
    { title: "Known vulnerabilities", program: process.execPath, args: [join(root, "scripts", "audit.mjs")] },
    { title: "Unit tests", program: "vitest", args: vitest("unit", reports) },
    { title: "Integration tests", program: "vitest", args: vitest("int", reports) },
  ];
}

function vitest(project, reports) {
  const report = ["--reporter=default", "--reporter=json", "--outputFile.json=" + join(reports, project)];
  // A filter that fits the files of one project only is no failure of the other.
  const filter = vitestArgs.length > 0 ? ["--passWithNoTests"].concat(vitestArgs) : [];
  return ["run", "--project", project].concat(report, filter);
}

/**
 * Runs a program of the packages, or one with a path of its own. Resolves to the exit code, or to INTERRUPTED when somebody
 * has told us to stop.
 */
function run(program, args) {
  return new Promise((resolve) => {
    const path = resolvePath(root, "node_modules", ".bin", program);
    const child = spawn(path, args, { cwd: root, stdio: "inherit" });
    let isInterrupted = false;
    // The terminal sends Ctrl-C to the child as well; we wait until it has put its servers away.
    const onInterrupt = () => (isInterrupted = true);
    const onTerminate = () => (isInterrupted = child.kill("SIGTERM"));
    process.on("SIGINT", onInterrupt).on("SIGTERM", onTerminate);
    const finish = (code) => {
      process.off("SIGINT", onInterrupt).off("SIGTERM", onTerminate);
      resolve(isInterrupted ? INTERRUPTED : code);
    };
    child.on("error", (error) => {
      console.error(program + " cannot be run: " + error.message);
      finish(1);
    });
    child.on("close", finish);
  });
}

function countTests(reports) {
  const count = { passed: 0, failed: 0, skipped: 0 };
  for (const project of ["unit", "int"]) {
    const report = readReport(join(reports, project));
    count.passed += report.numPassedTests;
    count.failed += report.numFailedTests;
    count.skipped += report.numPendingTests + report.numTodoTests;
  }
  return count;
}

/** A run that did not come to its end has no report. */
function readReport(path) {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return { numPassedTests: 0, numFailedTests: 0, numPendingTests: 0, numTodoTests: 0 };
  }
}
