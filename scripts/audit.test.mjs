/** Proves what the audit makes of each answer, through the real package manager against a registry of the test's own. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, test } from "vitest";

import { judgeAudit } from "./audit-verdict.mjs";
import { findPnpm } from "./bootstrap.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const [program, ...words] = findPnpm();
// It comes from the network once; a checkout that was installed has it.
const isInstalled = spawnSync(program, [...words, "--version"], { cwd: root }).status === 0;

const servers = [];

afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.close();
    await once(server, "close");
  }
});

/** Answers every request so. @returns its address, and what was asked. */
async function aRegistry(status, body) {
  const requests = [];
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`);
    request.resume().on("end", () => response.writeHead(status, { connection: "close" }).end(body));
  });
  servers.push(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { url: `http://127.0.0.1:${String(server.address().port)}`, requests };
}

async function audit(registry) {
  const script = join(root, "scripts/audit.mjs");
  const child = spawn(process.execPath, [script, `--config.registry=${registry}`], { cwd: root });
  let output = "";
  child.stdout.on("data", (chunk) => (output += chunk));
  child.stderr.on("data", (chunk) => (output += chunk));
  const [code] = await once(child, "close");
  return { code, output };
}

function anAdvisory(severity) {
  return {
    id: 1,
    url: "https://advisories.example/1",
    title: "an invented weakness",
    severity,
    vulnerable_versions: "<999",
    cwe: ["CWE-20"],
    cvss: { score: 9, vectorString: null },
  };
}

describe.skipIf(!isInstalled)("the registry", { timeout: 60_000 }, () => {
  test("that knows a critical vulnerability of ours fails the build, and a lesser one is told beside it", async () => {
    const known = { hono: [anAdvisory("critical")], zod: [{ ...anAdvisory("moderate"), id: 2 }] };
    const registry = await aRegistry(200, JSON.stringify(known));
    const { code, output } = await audit(registry.url);
    expect(output).toContain("known vulnerabilities: 1 moderate, 1 critical");
    expect(output).toMatch(/ critical hono [\d.]+: an invented weakness https:\/\/advisories\.example\/1/);
    expect(code).toBe(1);
  });

  test("that knows none of what runs in production passes", async () => {
    const registry = await aRegistry(200, JSON.stringify({ prettier: [anAdvisory("critical")] }));
    const { code, output } = await audit(registry.url);
    expect(output).toMatch(/^\d{2,} packages audited, no known vulnerability$/m);
    expect(code).toBe(0);
  });

  test.each([404, 405])("that has no such endpoint (%i) skips it, and says so", async (status) => {
    const registry = await aRegistry(status, "no");
    const { code, output } = await audit(registry.url);
    expect(registry.requests).toHaveLength(1);
    expect(output).toContain(`skipped: the registry does not serve audits (it answered ${String(status)})`);
    expect(code).toBe(0);
  });

  test("that is not there skips it, and says so", async () => {
    const { code, output } = await audit("http://127.0.0.1:1");
    expect(output).toContain("skipped: registry unreachable");
    expect(code).toBe(0);
  });

  test("that answers something else fails the build: nothing is known", async () => {
    const registry = await aRegistry(403, "no");
    const { code, output } = await audit(registry.url);
    expect(output).toContain("The packages cannot be audited: ");
    expect(code).toBe(1);
  });
});

test("an answer without a report is a failure, whatever it is", () => {
  for (const stdout of ["", "{}", "null", '{"advisories":{}}', "Already up to date"]) {
    expect(judgeAudit({ stdout, stderr: "", isTimedOut: false }).isFailure).toBe(true);
  }
});

test.each([
  ["moderate", false],
  ["high", true],
])("of %s severity alone: a failure is %s", (severity, isFailure) => {
  const vulnerabilities = { info: 0, low: 0, moderate: 0, high: 0, critical: 0, [severity]: 1 };
  const report = { advisories: {}, metadata: { vulnerabilities, totalDependencies: 10 } };
  const stdout = JSON.stringify(report);
  expect(judgeAudit({ stdout, stderr: "", isTimedOut: false })).toEqual({
    isFailure,
    lines: [`10 packages audited, known vulnerabilities: 1 ${severity}`],
  });
});

test("an audit that takes too long is skipped", () => {
  expect(judgeAudit({ stdout: "", stderr: "", isTimedOut: true })).toEqual({
    isFailure: false,
    lines: [expect.stringContaining("skipped: registry unreachable")],
  });
});
