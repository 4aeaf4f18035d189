/** What the answer of `pnpm audit --json` means for the build. */

const FAILING = ["high", "critical"];

/** Statuses of a registry, a mirror say, that has no such endpoint; pnpm has a message of its own for 404. */
const NOT_SERVED = ["404", "405", "501"];
const NOT_SERVED_404 = "ERR_PNPM_AUDIT_ENDPOINT_NOT_EXISTS";

/** What pnpm, npx and the system say where there is no network. */
const UNREACHABLE =
  /Failed to request the audit endpoint|ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH/;

/** The lines to show, and whether the build fails. */
export function judgeAudit(said) {
  const report = parseReport(said.stdout);
  if (report !== null) return judgeReport(report);
  const message = (said.stderr + said.stdout).replace(/[\s│×├─▶╰]+/g, " ").trim();
  const status = findStatus(message);
  if (NOT_SERVED.includes(status)) {
    return skipped("the registry does not serve audits (it answered " + status + ")");
  }
  if (/^(?:5|429)/.test(status)) {
    return skipped("the registry cannot answer now (it answered " + status + ")");
  }
  if (said.isTimedOut || UNREACHABLE.test(message)) return skipped("registry unreachable");
  return { isFailure: true, lines: ["The packages cannot be audited: " + (message || "pnpm said nothing")] };
}

/** Of the registry's answer; empty where there was none. */
function findStatus(message) {
  if (message.includes(NOT_SERVED_404)) return "404";
  const answered = /The audit endpoint .* responded with (\d{3})/.exec(message);
  return answered === null ? "" : answered[1];
}

function judgeReport(report) {
  const advisories = Object.values(report.advisories);
  const counts = report.metadata.vulnerabilities;
  const known = Object.keys(counts)
    .filter((severity) => counts[severity] > 0)
    .map((severity) => counts[severity] + " " + severity);
  const isFailure = FAILING.some((severity) => counts[severity] > 0);
  const summary =
    known.length === 0 ? "no known vulnerability" : "known vulnerabilities: " + known.join(", ");
  const lines = [report.metadata.totalDependencies + " packages audited, " + summary].concat(
    advisories.map(describe),
  );
  return { isFailure, lines };
}

function describe(advisory) {
  const versions = advisory.findings.map((finding) => finding.version).join(", ");
  const paths = advisory.findings.reduce((all, finding) => all.concat(finding.paths), []);
  return (
    ["  " + advisory.severity, advisory.module_name, versions + ":", advisory.title, advisory.url].join(" ") +
    (paths.length === 0 ? "" : "\n    by way of " + paths[0])
  );
}

function skipped(reason) {
  return {
    isFailure: false,
    lines: ["skipped: " + reason + "; what is known to be vulnerable was not asked"],
  };
}

/** Null: it is none, so that nothing is known. */
function parseReport(text) {
  try {
    const report = JSON.parse(text);
    const isReport = Boolean(
      report && report.advisories && report.metadata && report.metadata.vulnerabilities,
    );
    return isReport ? report : null;
  } catch {
    return null;
  }
}
